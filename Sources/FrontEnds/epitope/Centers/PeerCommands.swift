// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import FileAccess
import Foundation
import HostFrontEnd
import SecureChannel

/// `epitope local-center peer-with`: has this site read another site's updates.
struct PeerWithCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer-with",
        abstract: "Read the updates of another site, with a token from there.",
        usage:
            "epitope local-center peer-with [--state <folder>] --site <name> --center <url> ... [--relay <address>] \(TokenOptions<LinkingSite>.usage)",
        discussion: """
            Two sites exchange updates without a global center: each has the setting `peers: true`, makes a token for the other \
            (`token --site NAME`), and uses the other's token here. What a site is told counts as that site's one word: it is proven with this \
            site's own goodware and captures, makes rules that alert, and counts as one more reporter of what this site's hosts report. It \
            is told to nobody else. A center that runs begins by itself.
            """)

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Option(
        help: ArgumentHelp(
            "The name that the other site has here: letters, digits, dots, underscores, hyphens.",
            valueName: "name"))
    var site: String

    @Option(
        name: .customLong("center"),
        help: ArgumentHelp(
            "The other site's center, such as https://center.example:7443; of several over one store each, the preferred one first.",
            valueName: "url"))
    var centers: [String]

    @Option(
        help: ArgumentHelp(
            "Reach it by this relay (`epitope relay`), HOST or HOST:PORT.", valueName: "address"))
    var relay: String?

    @OptionGroup var tokenOptions: TokenOptions<LinkingSite>

    func run() async throws {
        _ = try stateOptions.loadAuthority()
        let folder = try PeerFolders(stateOptions.peersDirectory).folder(of: site)
        let identity = try await EnrolmentClient.enroll(
            as: .localCenter, at: CenterList(parsing: centers), scope: .local,
            token: try tokenOptions.read(),
            relay: relay.map { text throws(EpitopeError) in try RelayAddress(text) }, storingIn: folder)
        try await stateOptions.openStore().recordLink(
            .linked, site, "reads its updates, as \(identity.subject.name), at \(identity.centers)")
        Console.print(
            "enrolled as \(identity.subject.role.rawValue) \(identity.subject.name) at \(site), \(identity.centers)"
        )
        if StateFolderLock.isHeld(in: stateOptions.directory) {
            Console.print("the center that runs reads its updates within half a minute")
        }
    }
}

/// `epitope local-center peer-without`: reads another site's updates no more.
struct PeerWithoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer-without", abstract: "Read the updates of another site no more.",
        discussion: """
            Its words that came so far keep their weight until they are a day old, and rules their lifetime (`withdraw` ends one). That it \
            reads this site's updates no more is another command: `revoke --site NAME`.
            """)

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Option(help: ArgumentHelp("The name that it has here.", valueName: "name"))
    var site: String

    func run() async throws {
        _ = try stateOptions.loadAuthority()
        let folders = PeerFolders(stateOptions.peersDirectory)
        let folder = try folders.folder(of: site)
        guard folders.names.contains(site) else {
            throw EpitopeError(
                .notPeered, "this site reads no updates of '\(site)'",
                remedy: "see which it reads: the row \"updates read of\" of `epitope local-center status`")
        }
        let store = try stateOptions.openStore()
        do { try FileManager.default.removeItem(atPath: folder) } catch {
            throw EpitopeError(
                .stateUnwritable,
                "the folder \(folder) could not be removed: \(error.localizedDescription)",
                remedy: "check its owner and rights, and try again")
        }
        try await store.forgetFeed(of: site)
        try await store.recordLink(.unlinked, site, "reads its updates no more")
        Console.print("the updates of \(site) are read no more")
    }
}

/// The folders with this center's identities at its peers.
struct PeerFolders {
    /// How many peers a center has at most.
    static let max = 64
    private static let maxFolders = 1024

    private let directory: String

    init(_ directory: String) { self.directory = directory }

    /// The peers' names.
    var names: [String] {
        // An enrolment that failed leaves a folder without an identity.
        ((try? Folders.names(directory, maxCount: Self.maxFolders)) ?? [])
            .filter { Identity.isValidName($0) && StoredIdentity.isStored(in: "\(directory)/\($0)") }.sorted()
    }

    /// - Throws: `name-invalid`, `peers-too-many`.
    func folder(of name: String) throws(EpitopeError) -> String {
        guard Identity.isValidName(name), !name.hasPrefix(".") else { throw .invalidName(name) }
        guard names.contains(name) || names.count < Self.max else {
            throw EpitopeError(
                .peersTooMany, "this site has \(Self.max) peers already",
                remedy: "end one first: peer-without")
        }
        return directory + "/" + name
    }
}

extension EpitopeError.Code {
    /// This site reads no updates of a site of that name.
    static let notPeered = EpitopeError.Code("peer-not-read")
    /// A site has as many peers as it may.
    static let peersTooMany = EpitopeError.Code("peers-too-many")
}
