// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import ArgumentParser
import CPrivileges
import CProcessFiles
import CenterMonitoring
import EpitopeModel
import Glibc
import HostFrontEnd
import KeyProcess
import Logging
import SecureChannel

/// `key`: the process that has the authority's key.
struct CenterKeyCommand<Kind: CenterKind>: FirstThreadCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "key",
            abstract: "Sign the certificates that the center orders, with the authority's key. serve starts it by itself.",
            discussion: """
                It signs certificates of hosts, sites and the center itself, for at most 90 days, and logs each. The process that \
                has the key opens no file, and reaches no network and no other process. Started by a socket unit, this command is \
                that process; else it makes the socket, starts that process, and starts it again when it has ended.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(
        help: ArgumentHelp("The folder with the authority's key and certificate (default: beside the state folder).", valueName: "folder"))
    var keyFolder: String?

    @Option(help: ArgumentHelp("The socket for the center (default: in its state folder).", valueName: "path"))
    var socket: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("The most certificates in a minute.", valueName: "count"))
    var maxPerMinute = SigningBounds().maxPerMinute

    @Option(parsing: .unconditional, help: ArgumentHelp("The most certificates in a day.", valueName: "count"))
    var maxPerDay = SigningBounds().maxPerDay

    @OptionGroup var logOptions: LogOptions

    @Option(help: .hidden)
    var listener: Int32?

    @Option(help: .hidden)
    var parent: Int32?

    /// For an operator's command: it signs what hosts are to run, and no certificate.
    @Flag(help: .hidden)
    var signAgents = false

    func validate() throws {
        guard maxPerMinute > 0 else { throw ValidationError("--max-per-minute takes numbers from 1 up") }
        guard maxPerDay > 0 else { throw ValidationError("--max-per-day takes numbers from 1 up") }
        try requirePaths([("--key-folder", keyFolder), ("--socket", socket)])
    }

    func begin() throws -> @Sendable () async throws -> Void {
        let format = logOptions.logFormat ?? .text
        let logger = CenterProcess.logger("\(Kind.name)-key", format)
        let log = { (line: String) in logger.notice("\(line)") }
        // Before it is asked whether the parent still is that one: the handle is then the parent's.
        let center = parent.map { epitope_process_handle($0) }.flatMap { $0 >= 0 ? $0 : nil }
        if let parent, epitope_end_with_parent(SIGKILL, parent) != 0 { throw ExitCode.failure }
        let directory = keyFolder ?? stateOptions.keyDirectory
        var bounds = SigningBounds()
        (bounds.maxPerMinute, bounds.maxPerDay) = (maxPerMinute, maxPerDay)
        if signAgents {
            try KeyServer.run(
                listener: -1, connection: OperatorSigning.connectionDescriptor, keyDirectory: directory, bounds: bounds, purpose: .agents,
                log: log)
        }
        if let listener = listener ?? DescriptorStore.passed().first?.descriptor {
            // Its socket is made before none can be.
            let manager = ServiceManager.current
            try KeyServer.run(
                listener: listener, keyDirectory: directory, bounds: bounds, onReady: { _ = manager?.notify(.ready) }, log: log)
        }
        try CertificateAuthority.requireKey(in: directory)
        let program = try CenterProcess.program()
        try KeyKeeper.run(
            socket: socket ?? stateOptions.keySocketPath, center: center, program: program,
            arguments: [
                program, Kind.name, "key", "--key-folder", directory, "--max-per-minute", "\(maxPerMinute)", "--max-per-day",
                "\(maxPerDay)", "--log-format", format.rawValue,
                "--listener", "\(KeyKeeper.listenerDescriptor)", "--parent", "\(getpid())",
            ], log: log)
    }
}
