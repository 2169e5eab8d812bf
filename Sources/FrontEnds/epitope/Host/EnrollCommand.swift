// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import FileAccess
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

    @Option(help: "The one-time token that the center's operator created for this host; - reads it from standard input.")
    var token: String?

    @Option(help: ArgumentHelp("A file that has the token; - is standard input.", valueName: "file"))
    var tokenFile: String?

    @Flag(help: "The center is a global one. With `run --send-to global` or `both`, packets are sent to it directly.")
    var global = false

    func validate() throws {
        guard (token == nil) != (tokenFile == nil) else { throw ValidationError("give the token by one of --token-file and --token") }
    }

    func run() async throws {
        let identity = try await EnrolmentClient.enroll(
            at: CenterAddress(center), token: try readToken(),
            storingIn: stateOptions.identityDirectory(global ? "global" : "local"))
        Console.print("enrolled as \(identity.subject.role.rawValue) \(identity.subject.name) at \(identity.center)")
        do {
            try await sendWaiting()
        } catch {
            // This host is enrolled: what runs under Epitope sends them.
            Console.log("packets that wait could not be sent now: \(error)")
        }
    }

    /// - Throws: `token-unreadable`.
    private func readToken() throws(EpitopeError) -> String {
        if let token, token != "-" { return token }
        guard let path = tokenFile, path != "-" else { return readLine() ?? "" }
        do throws(FileError) {
            // A token has fewer than 100 characters.
            return String(decoding: try FileContents.bytes(path, maxBytes: 4096), as: UTF8.self)
        } catch {
            throw EpitopeError(
                .tokenUnreadable, "the token file \(path) can't be read: \(error)",
                remedy: "name a file that exists, that this user may read, and that holds the token alone")
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

extension EpitopeError.Code {
    /// The file with the enrolment token can't be read.
    static let tokenUnreadable = EpitopeError.Code("token-unreadable")
}
