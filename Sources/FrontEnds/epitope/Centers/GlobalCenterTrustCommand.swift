// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd

/// `epitope global-center trust`.
struct GlobalCenterTrustCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust",
        abstract: "Trust a site or host: what it reports is published on its word alone, without a second one of another network.",
        usage: "epitope global-center trust [--state <folder>] \(PeerOptions<GlobalKind>.usage) [--remove]")

    @OptionGroup var stateOptions: CenterStateOptions<GlobalKind>
    @OptionGroup var peer: PeerOptions<GlobalKind>

    @Flag(help: "Trust it no longer. What was published stays.")
    var remove = false

    func run() async throws {
        let store = try stateOptions.openStore()
        try await peer.requireKnown(in: store, remedy: "make a token for a site that is to enrol first")
        let waited = try await store.setTrust(in: peer.identity, to: !remove, by: Person.name)
        let isServing = await stateOptions.wakeService(of: store)
        Console.print("\(remove ? "no longer trusted" : "trusted"): \(peer.identity.role.rawValue) \(peer.identity.name)")
        if waited > 0 {
            let later = isServing ? "" : "; they are published when this center runs: it does not now"
            Console.print("attacks that waited: \(waited)\(later)")
        }
    }
}
