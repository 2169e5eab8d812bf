// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd

/// `epitope global-center trust`.
struct GlobalCenterTrustCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust",
        abstract: "Trust a site: what it reports is published on its word alone, without a second site of another network.")

    @OptionGroup var stateOptions: CenterStateOptions<GlobalKind>
    @OptionGroup var peer: PeerOptions<GlobalKind>

    @Flag(help: "Trust it no longer. What was published stays.")
    var remove = false

    func run() async throws {
        let store = try stateOptions.openStore()
        let waited = try await store.setTrust(in: peer.identity, to: !remove, by: Person.name)
        let isServing = stateOptions.wakeService()
        Console.print("\(remove ? "no longer trusted" : "trusted"): \(peer.identity.role.rawValue) \(peer.identity.name)")
        if waited > 0 {
            let later = isServing ? "" : "; they are published when this center runs: it does not now"
            Console.print("attacks that waited: \(waited)\(later)")
        }
        guard try await !store.hasEnrolled(peer.identity) else { return }
        Console.log("note: no \(peer.identity.role.rawValue) has enrolled as \(peer.identity.name) here yet")
    }
}
