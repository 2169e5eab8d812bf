// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import HostFrontEnd
import SecureChannel

/// `epitope enroll`: gets this host its certificate.
struct EnrollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enroll",
        abstract: "Get this host its certificate from a center.",
        discussion: """
            The private key is generated on this host and never leaves it. The token works once; it pins the center's \
            authority, so that an impostor learns nothing.
            """)

    @OptionGroup var stateOptions: HostStateOptions

    @Option(help: ArgumentHelp("The center, such as https://center.example:7443.", valueName: "url"))
    var center: String

    @Option(help: "The one-time token that the center's operator created for this host.")
    var token: String

    @Flag(help: "The center is a global one. With `run --send-to global` or `both`, packets are sent to it directly.")
    var global = false

    func run() async throws {
        let identity = try await EnrolmentClient.enroll(
            at: CenterAddress(center), token: token,
            storingIn: stateOptions.identityDirectory(global ? "global" : "local"))
        print("enrolled as \(identity.subject.role.rawValue) \(identity.subject.name) at \(identity.center)")
    }
}
