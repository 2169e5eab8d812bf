// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd
import SecureChannel
import SettingsFiles

/// `peers`: who may send to the center.
struct CenterPeersCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "peers",
            abstract: "List the \(Kind.servesCenters ? "hosts and sites" : "hosts") that enrolled, have a token, or were revoked.",
            discussion: """
                "since" is when it enrolled or was revoked. "last seen" and "address" are those of its last request, "version" and \
                "protection" what it said of itself then, "judges" the applications of behaviour blocking that were on there (exec, connect, \
                send, listen), and "valid until" is the end of the certificate that it was seen with, or of \
                a token that was not used. "authority" is the one that certificate is from: the present one, or the next or a former one \
                where it is replaced (rotate-authority); its SHA-256 in JSON.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let store = try stateOptions.openStore()
        let (peers, retired) = (try await store.enrolledPeers(), try await store.retiredAuthorities())
        let read = try stateOptions.loadAuthorities()
        let authorities = (try? read.without(retired)) ?? read
        guard !json else { return Console.print(try Console.json(peers)) }
        func time(_ milliseconds: Int64?) -> String { milliseconds.map { Console.time(Double($0)) } ?? "-" }
        Console.print(
            Console.table(
                [["name", "role", "state", "since", "last seen", "address", "version", "protection", "judges", "valid until", "authority"]]
                    + peers.map { peer in
                        [
                            peer.name, peer.role.rawValue, peer.state.rawValue, time(peer.sinceMilliseconds), time(peer.seenMilliseconds),
                            peer.address ?? "-", peer.version ?? "-", peer.protection ?? "-", peer.applications ?? "-",
                            time(peer.state == .invited ? peer.tokenUntilMilliseconds : peer.certificateUntilMilliseconds),
                            authorities.word(for: peer.authority),
                        ]
                    }))
    }
}

extension CenterAuthorities {
    /// Which one a fingerprint is of.
    fileprivate func word(for fingerprint: String?) -> String {
        func isOf(_ authority: AuthorityCertificate?) -> Bool { authority.map { Hex.encode($0.fingerprint) == fingerprint } ?? false }
        if isOf(next?.certificate) { return "next" }
        if isOf(current) { return "present" }
        return isOf(former?.authority) ? "former" : fingerprint == nil ? "-" : "another"
    }
}

extension EnrolledPeer {
    /// Since when its state is what it is, as far as that is known.
    fileprivate var sinceMilliseconds: Int64? {
        switch state {
        case .enrolled: enrolledMilliseconds
        case .revoked: revokedMilliseconds
        case .invited, .lapsed, .seen: nil
        }
    }
}

/// `revoke`: revokes a host's or a site's certificates.
struct CenterRevokeCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "revoke",
            abstract: "Revoke each certificate and unused token of a \(PeerOptions<Kind>.noun); it can enrol again with a new token.",
            usage: "epitope \(Kind.name) revoke [--state <folder>] \(PeerOptions<Kind>.usage) [--unknown]")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>
    @OptionGroup var peer: PeerOptions<Kind>

    @Flag(help: "Also a name that nobody enrolled as: a lost store forgets them.")
    var unknown = false

    func run() async throws {
        let store = try stateOptions.openStore()
        if !unknown {
            try await peer.requireKnown(
                in: store, remedy: "add --unknown where the store was lost since the enrolment: its certificate is refused then")
        }
        try await store.revoke(peer.identity, nowMilliseconds: ChannelClock.system())
        Console.print("revoked \(peer.identity.role.rawValue) \(peer.identity.name)")
        do throws(EpitopeError) { try await store.listRevocations() } catch { Console.log("warning: \(error)") }
        if let token = try await store.openToken(usedBy: peer.identity) {
            Console.log(
                "note: it enrolled by token \(token.id), with which \(token.maxUses - token.used) more hosts can: revoke that, too, if it is in the "
                    + "wrong hands (`epitope \(Kind.name) tokens --revoke \(token.id)`)")
        }
    }
}

extension PeerOptions {
    /// Makes sure that the center has heard of the peer: a decision about a name that was mistyped leaves the one that was meant.
    ///
    /// - Parameter remedy: what else to do, after a look at the name.
    /// - Throws: `name-invalid`, `peer-unknown`.
    func requireKnown(in store: CenterStore, remedy: String) async throws(EpitopeError) {
        let identity = identity
        guard Identity.isValidName(identity.name) else { throw EpitopeError.invalidName(identity.name) }
        let known = try await store.enrolledPeers().filter { $0.role == identity.role }.map(\.name)
        guard !known.contains(identity.name) else { return }
        let similar = SimilarWord.similar(to: identity.name, among: known).map { "; did you mean '\($0)'?" } ?? ""
        throw EpitopeError(
            .peerUnknown, "no \(identity.role.rawValue) has enrolled as '\(identity.name)' here, nor has one a token\(similar)",
            remedy: "look the name up in `epitope \(Kind.name) peers`; \(remedy)")
    }
}

extension EpitopeError.Code {
    /// No peer of that name is known to the center.
    static let peerUnknown = EpitopeError.Code("peer-unknown")
}
