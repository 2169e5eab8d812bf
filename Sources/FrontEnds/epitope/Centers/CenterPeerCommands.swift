// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd
import SecureChannel

/// `peers`: who may send to the center.
struct CenterPeersCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "peers",
            abstract: "List the \(Kind.servesCenters ? "hosts and sites" : "hosts") that enrolled, have a token, or were revoked.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let peers = try await stateOptions.openStore().enrolledPeers()
        guard !json else { return Console.print(try Console.json(peers)) }
        func time(_ milliseconds: Int64?) -> String { milliseconds.map { Console.time(Double($0)) } ?? "-" }
        Console.print(
            Console.table(
                [["name", "role", "state", "enrolled", "renewed", "revoked", "token until"]]
                    + peers.map { peer in
                        [
                            peer.name, peer.role.rawValue, peer.state.rawValue, time(peer.enrolledMilliseconds),
                            time(peer.renewedMilliseconds), time(peer.revokedMilliseconds), time(peer.tokenUntilMilliseconds),
                        ]
                    }))
    }
}

/// `revoke`: revokes a host's or a site's certificates.
struct CenterRevokeCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "revoke",
            abstract: "Revoke every certificate issued to a peer so far; it can enrol again with a new token.")
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
    }
}

extension PeerOptions {
    /// Makes sure that the center has heard of the peer: a decision about a name that was mistyped leaves the one that was meant.
    ///
    /// - Parameter remedy: what else to do, after a look at the name.
    /// - Throws: `name-invalid`, `peer-unknown`.
    func requireKnown(in store: CenterStore, remedy: String) async throws(EpitopeError) {
        let identity = identity
        guard Identity.isValidName(identity.name) else {
            throw EpitopeError(
                .nameInvalid, "'\(identity.name)' is not a valid name", remedy: "use 1 to 64 letters, digits, dots, underscores or hyphens")
        }
        let known = try await store.enrolledPeers().filter { $0.role == identity.role }.map(\.name)
        guard !known.contains(identity.name) else { return }
        let similar = CommandNames.similar(to: identity.name, among: known).map { "; did you mean '\($0)'?" } ?? ""
        throw EpitopeError(
            .peerUnknown, "no \(identity.role.rawValue) has enrolled as '\(identity.name)' here, nor has one a token\(similar)",
            remedy: "look the name up in `epitope \(Kind.name) peers`; \(remedy)")
    }
}

extension EpitopeError.Code {
    /// No peer of that name is known to the center.
    static let peerUnknown = EpitopeError.Code("peer-unknown")
}
