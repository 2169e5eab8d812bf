// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import Foundation
import HostFrontEnd
import HostStore
import SecureChannel

/// `epitope host`: shows the state of this host.
struct HostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host", abstract: "Show the state of this host.", subcommands: [HostStatusCommand.self])
}

/// `epitope host status`.
struct HostStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show where this host is enrolled, which packets wait, and which ones centers refused.")

    @OptionGroup var stateOptions: HostStateOptions

    func run() async throws {
        var rows: [[String]] = [["center", "identity", "certificate until", "packets waiting"]]
        let store = try HostStore(directory: stateOptions.directory)
        for destination in Destination.allCases {
            let waiting = try await store.waiting(for: destination)
            guard
                let stored = try StoredIdentity.loadIfEnrolled(
                    from: stateOptions.identityDirectory(destination.rawValue))
            else {
                rows.append([destination.rawValue, "not enrolled", "-", "\(waiting)"])
                continue
            }
            rows.append([
                "\(destination.rawValue) \(stored.center)", stored.subject.name,
                Console.time(Double(stored.expiresMilliseconds)), "\(waiting)",
            ])
        }
        Console.print(Console.table(rows))
        let today = try await store.outcomes(day: Int64(Date().timeIntervalSince1970) / 86400)
        Console.print("\ntoday (UTC): \(today.isEmpty ? "nothing" : today.sorted(by: <).map { "\($1) \($0)" }.joined(separator: ", "))")
        for refused in try await store.refusedPackets() {
            Console.print(
                "refused: \(refused.packetID) by the \(refused.destination.rawValue) center: \(refused.message) [\(refused.code)]")
        }
    }
}
