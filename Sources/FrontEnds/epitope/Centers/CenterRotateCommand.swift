// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterBackup
import CenterStore
import EpitopeModel
import Glibc
import HostFrontEnd
import SecureChannel

/// `rotate-authority`: replaces the center's authority while it serves.
struct CenterRotateCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "rotate-authority",
            abstract: "Replace the center's certificate authority while it serves, in two steps; without --retire the first.",
            discussion: """
                The first step makes the next authority, signed for by the present one. \(Kind.servesCenters ? "Hosts and sites" : "Hosts") \
                that this center lets in trust it by that signature, and get certificates from it. Made again, the command says who hasn't one yet. \
                --retire is the second step: certificates of the former authority count no more, and its key is destroyed. It is refused \
                while that would lock somebody out, and --force does it all the same. Where the key process is a unit of its own, restart that \
                unit after each step.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Flag(help: "Put the next authority in the present one's place.")
    var retire = false

    @Flag(
        help: """
            With --retire: also where that locks out who has no certificate of the next authority, or a token that was not used. Without: \
            make a next authority although another machine of this center has made one.
            """)
    var force = false

    func run() async throws {
        _ = try stateOptions.loadAuthorities()
        let store = try stateOptions.openStore()
        let rotation = AuthorityRotation(in: stateOptions.authorityDirectory, keyIn: stateOptions.keyDirectory)
        try await (retire ? finish(rotation, store) : begin(rotation, store))
    }

    private func begin(_ rotation: AuthorityRotation, _ store: CenterStore) async throws {
        try await requireFiles(store)
        let (authorities, isNew) = try rotation.begin()
        giveFiles()
        guard let next = authorities.next else { return }
        if isNew {
            try await store.recordAuthorityMade(
                Hex.encode(next.certificate.fingerprint), name: "\(next.certificate)",
                detail: "to follow \(authorities.current), by \(Person.name)")
            Console.print("made the next authority of \(Kind.name): it follows the present one, whose key has signed for it")
            Console.print("SHA-256 of its certificate: \(Hex.encode(next.certificate.fingerprint))")
        }
        let left = try await Remaining(store, next: next.certificate)
        Console.print(left.inWords)
        noteRestart(isNew)
        Console.print(
            "next: look at `epitope \(Kind.name) peers` until nobody has a certificate of the old authority, then "
                + "epitope \(Kind.name) rotate-authority\(stateArgument) --retire; and make a backup (--with-key, or a copy of "
                + "\(stateOptions.keyDirectory))")
    }

    /// Where several machines are one center, the next authority is made on one of them, and its files are copied to the others.
    ///
    /// - Throws: `authority-elsewhere`.
    private func requireFiles(_ store: CenterStore) async throws {
        guard !force, let known = try await store.nextAuthority() else { return }
        // One that is the present one by now was retired's successor, by a command that was killed before it had said so.
        let own = try stateOptions.loadAuthorities()
        guard ![own.current, own.next?.certificate].contains(where: { $0.map { Hex.encode($0.fingerprint) } == known }) else { return }
        throw EpitopeError(
            .authorityElsewhere, "another machine of this center has made the next authority, \(known), and this one doesn't have it",
            remedy:
                "copy authority-key.pem and authority.pem of that machine's \(Kind.name).key, and then its authority/authority.pem, to this "
                + "one; or, where they are lost, make another one in its place (--force)")
    }

    private func finish(_ rotation: AuthorityRotation, _ store: CenterStore) async throws {
        let before = try stateOptions.loadAuthorities()
        if let next = before.next?.certificate {
            // Where another machine of the center has retired it, that was decided there.
            if try await !store.retiredAuthorities().contains(Hex.encode(before.current.fingerprint)) {
                try await requireNobodyLeft(store, next: next)
            }
            try await store.retireAuthority(
                Hex.encode(before.current.fingerprint), name: "\(before.current)", detail: "followed by \(next), by \(Person.name)")
        }
        let authorities = try rotation.retire()
        giveFiles()
        guard before.next != nil, let former = authorities.former?.authority else {
            return Console.print("the former authority is retired already: \(authorities.current) is the present one")
        }
        Console.print("retired \(former): its certificates count no more, and its key is destroyed")
        Console.print("SHA-256 of the present authority's certificate: \(Hex.encode(authorities.current.fingerprint))")
        noteRestart(true)
        if case .some = try stateOptions.storeLocation.read() {
            Console.print(
                "other machines of this center let in nobody by the former one either, from now on; its key is still on them: give this "
                    + "command on each")
        }
        Console.print(
            "next: make a backup (--with-key, or a copy of \(stateOptions.keyDirectory)); an earlier one brings the retired authority back, and hosts don't trust it any more"
        )
    }

    /// - Throws: `authority-in-use`.
    private func requireNobodyLeft(_ store: CenterStore, next: AuthorityCertificate) async throws {
        let left = try await Remaining(store, next: next)
        guard left.isEmpty || force else {
            throw EpitopeError(
                .authorityInUse, "the authority is not retired: \(left.inWords)",
                remedy:
                    "wait until they have been connected for a while, update hosts of earlier versions, revoke those that are gone, and let "
                    + "tokens expire or revoke them (`tokens --revoke ID`); or add --force: they have to be enrolled again then")
        }
        let tokens = try await store.revokeTokens(because: "the authority that they pin is retired")
        if tokens > 0 { Console.print("tokens that were not used are good no more: \(tokens); make new ones") }
    }

    private var stateArgument: String { stateOptions.state.map { " --state \($0.quotedForShell)" } ?? "" }

    /// The unit's user reads what root has written.
    private func giveFiles() {
        StateOwner.giveContents(of: stateOptions.directory)
    }

    private func noteRestart(_ isChanged: Bool) {
        guard isChanged, StateFolderLock.isHeld(in: stateOptions.directory) else { return }
        // A key process that serve has started looks at its folder by itself.
        let socket = "/run/epitope-key/\(Kind.name).socket"
        guard access(socket, F_OK) == 0 else { return Console.print("the center that runs does this by itself within seconds") }
        Console.print(
            "the center that runs does this by itself once its key process has read its keys again: systemctl restart epitope-\(Kind.name)-key.service"
        )
    }
}

/// Who would be locked out if the present authority were retired now.
struct Remaining {
    private let peers: [EnrolledPeer]
    private let tokens: [EnrolmentTokenRow]
    private let known: Int
    private static let maxNames = 20

    init(_ store: CenterStore, next: AuthorityCertificate) async throws(EpitopeError) {
        let now = ChannelClock.system()
        let all = try await store.enrolledPeers().filter { $0.isLetIn(nowMilliseconds: now) }
        known = all.count
        peers = all.filter { $0.authority != Hex.encode(next.fingerprint) }
        tokens = try await store.enrolmentTokens().filter { $0.state == .open }
    }

    var isEmpty: Bool { peers.isEmpty && tokens.isEmpty }

    var inWords: String {
        guard !isEmpty else { return "all \(known) that are let in have a certificate of the next authority, and no token is open" }
        var parts: [String] = []
        if !peers.isEmpty {
            let more = peers.count > Self.maxNames ? ", and \(peers.count - Self.maxNames) more" : ""
            let names = peers.prefix(Self.maxNames).map { peer in
                "\(peer.role.rawValue) \(peer.name)" + (peer.version.map { " (epitope \($0))" } ?? "")
            }
            parts.append("\(peers.count) of \(known) have no certificate of the next authority: \(names.joined(separator: ", "))\(more)")
        }
        if !tokens.isEmpty {
            let ids = tokens.map(\.id).joined(separator: ", ")
            parts.append("\(tokens.count) tokens that were not used up are for the present one: \(ids)")
        }
        return parts.joined(separator: "; ")
    }
}

extension EnrolledPeer {
    /// Whether it can get in, or renew its certificate: one whose certificate ended longer ago than that can't, whatever is retired.
    fileprivate func isLetIn(nowMilliseconds: Int64) -> Bool {
        guard state == .enrolled || state == .seen else { return false }
        let validity = Duration.days(CertificateAuthority.defaultValidityDays).inMilliseconds
        let until = certificateUntilMilliseconds ?? max(enrolledMilliseconds ?? 0, renewedMilliseconds ?? 0) + validity
        // Seen with one certificate, it may have been given another since.
        let latest = max(until, (renewedMilliseconds ?? 0) + validity)
        return latest + validity >= nowMilliseconds
    }
}

extension EpitopeError.Code {
    /// The authority can't be retired yet: there are peers that have certificates of it alone.
    static let authorityInUse = EpitopeError.Code("authority-in-use")
}
