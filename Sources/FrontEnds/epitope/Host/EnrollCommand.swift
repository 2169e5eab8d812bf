// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import Foundation
import HostFrontEnd
import HostStore
import Logging
import SecureChannel

/// `epitope enroll`: gets this host its certificate.
struct EnrollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enroll",
        abstract: "Get this host its certificate from a center.",
        discussion: """
            The private key is generated on this host and never leaves it. The token works once; it pins the center's \
            authority, so that an impostor learns nothing. Packets that wait for the center are sent.

            Other users can see a command's arguments: better than --token is --token-file FILE, or a token on standard input:
              ssh CENTER epitope local-center token --host NAME | epitope enroll --center URL --token-file -
            """)

    @OptionGroup var stateOptions: HostStateOptions

    @Option(help: ArgumentHelp("The center, such as https://center.example:7443.", valueName: "url"))
    var center: String

    @OptionGroup var tokenOptions: TokenOptions

    @Flag(help: "The center is a global one. With `run --send-to global` or `both`, packets are sent to it directly.")
    var global = false

    func run() async throws {
        let identity = try await EnrolmentClient.enroll(
            at: CenterAddress(center), scope: global ? .global : .local, token: try tokenOptions.read(),
            storingIn: stateOptions.identityDirectory(global ? "global" : "local"))
        Console.print("enrolled as \(identity.subject.role.rawValue) \(identity.subject.name) at \(identity.center)")
        do {
            try await sendWaiting()
        } catch {
            // This host is enrolled: what runs under Epitope sends them.
            Console.log("packets that wait could not be sent now: \(error)")
        }
    }

    /// Sends what waited for this center.
    private func sendWaiting() async throws {
        let directory = stateOptions.directory
        guard access("\(directory)/\(HostStore.fileName)", F_OK) == 0 else { return }
        let destination: Destination = global ? .global : .local
        func waiting() async throws -> Int { try await HostStore(directory: directory).waiting(for: destination) }
        let before = try await waiting()
        guard before > 0 else { return }
        let options = try PacketOptions.parse(["--send-to", destination.rawValue])
        let (none, end) = AsyncStream.makeStream(of: DetectionReport.self)
        end.finish()
        await HostReporter(stateOptions, options, logger: Logger(label: "epitope")).report(none)
        Console.print("\(before - (try await waiting())) of \(before) packets that waited are sent")
    }
}
