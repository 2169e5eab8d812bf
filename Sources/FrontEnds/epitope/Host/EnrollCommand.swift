// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import FileAccess
import Foundation
import HostFrontEnd
import HostPipeline
import HostStore
import Logging
import SecureChannel

/// `epitope enroll`: gets this host its certificate.
struct EnrollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enroll",
        abstract: "Get this host its certificate from a center.",
        usage:
            "epitope enroll [--state <folder>] --center <url> ... [--relay <address>] \(TokenOptions<EnrollingHost>.usage) [--name <name>] [--global]",
        discussion: """
            The private key is generated on this host and never leaves it. The token pins the center's \
            authority, so that an impostor learns nothing. Packets that wait for the center are sent.

            Other users can see a command's arguments: better than --token is --token-file FILE, or a token on standard input:
              ssh CENTER epitope local-center token --host NAME | epitope enroll --center URL --token-file -
            """)

    @OptionGroup var stateOptions: HostStateOptions

    @Option(
        name: .customLong("center"),
        help: ArgumentHelp(
            "The center, such as https://center.example:7443; of several over one store each, the preferred one first.",
            valueName: "url"))
    var centers: [String]

    @Option(
        help: ArgumentHelp(
            "Reach the centers by this relay (`epitope relay`), HOST or HOST:PORT, now and from then on. It sees nothing of what is said.",
            valueName: "address"))
    var relay: String?

    @OptionGroup var tokenOptions: TokenOptions<EnrollingHost>

    @Option(
        help: ArgumentHelp(
            "This host's name at the center, where the token is for several hosts. (default: the machine's name)", valueName: "name"))
    var name: String?

    @Flag(help: "The center is a global one. With `run --send-to global` or `both`, packets are sent to it directly.")
    var global = false

    func run() async throws {
        let directory = stateOptions.identityDirectory(global ? "global" : "local")
        let before = try? StoredIdentity.loadIfEnrolled(from: directory)?.subject
        let identity = try await EnrolmentClient.enroll(
            at: CenterList(parsing: centers), scope: global ? .global : .local, token: try tokenOptions.read(),
            relay: relay.map { text throws(EpitopeError) in try RelayAddress(text) }, name: name ?? Self.machineName, storingIn: directory)
        let way = identity.relay.map { ", by the relay at \($0)" } ?? ""
        Console.print("enrolled as \(identity.subject.role.rawValue) \(identity.subject.name) at \(identity.centers)\(way)")
        if let before, before != identity.subject {
            Console.log(
                "this replaces the identity \(before.name), which stays good at its center: revoke it there (`epitope "
                    + "\(global ? "global" : "local")-center revoke --host \(before.name)`)")
        }
        noteEnrolment(identity)
        do {
            try await sendWaiting()
        } catch {
            // This host is enrolled: what runs under Epitope sends them.
            Console.log("packets that wait could not be sent now: \(error)")
        }
    }

    /// The machine's name, if it can be an identity's. Nobody is asked for another form of it.
    static var machineName: String? { SystemName.current.machine.flatMap { Identity.isValidName($0) ? $0 : nil } }

    /// Says so in the event log: what the center answered before is of an identity that is gone.
    private func noteEnrolment(_ identity: StoredIdentity) {
        var event = HostEvent(.enrolled, time: EventLog.now())
        event.destination = (global ? Destination.global : .local).rawValue
        event.untilTime = EventTime(milliseconds: identity.expiresMilliseconds)
        EventLog(directory: stateOptions.directory).append(event)
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
