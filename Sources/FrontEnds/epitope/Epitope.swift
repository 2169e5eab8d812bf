// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import Glibc
import HostFrontEnd

/// The command line. It parses, wires the modules together, and prints; what is decided is decided in the modules.
@main
struct Epitope: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "epitope",
        abstract: "Turns injected code, caught in the act, into a signature that is live in milliseconds.",
        discussion: """
            On a host:      epitope enroll, then epitope agent, or epitope run -- COMMAND
            At a site:      epitope local-center init, token, serve
            In between:     epitope relay, where hosts have no way to the center
            For the world:  epitope global-center init, token, serve
            On its own:     epitope goodware build, extract, verify
            """,
        version: Version.current,
        subcommands: [
            RunCommand.self, AgentCommand.self, StatusCommand.self, PolicyCommand.self, EnrollCommand.self, HostCommand.self,
            PacketCommand.self, LocalCenterCommand.self,
            GlobalCenterCommand.self, RelayCommand.self, GoodwareCommand.self, ExtractCommand.self, VerifyCommand.self,
        ])

    /// On the first thread, until it is known that there may be others.
    @MainActor static func main() async {
        do {
            try ResourceLimits.checkThreads()
        } catch {
            Console.error(error)
            Glibc.exit(CommandLine.arguments.dropFirst().first == "run" ? RunCommand.notStarted : EXIT_FAILURE)
        }
        if let unknown = CommandNames.unknown(in: Array(CommandLine.arguments.dropFirst()), of: Self.self) {
            exit(withError: ValidationError(unknown.message))
        }
        do {
            // What AsyncParsableCommand.main does, but on this thread.
            var command = try parseAsRoot()
            if let command = command as? any FirstThreadCommand {
                try await command.begin()()
            } else if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as EpitopeError where Console.logger != nil {
            Console.error(error)
            Glibc.exit(EXIT_FAILURE)
        } catch {
            exit(withError: error)
        }
    }
}
