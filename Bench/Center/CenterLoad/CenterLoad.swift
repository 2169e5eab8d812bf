// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc

/// The load generator of `make bench-center`, `make faults` and `make failover`: many hosts that send packets to a center, or to
/// several over one database, from one process that costs little beside it.
///
/// What it sends is inert: random bytes in the form of packets, to loopback or into a network namespace.
@main
struct CenterLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "center-load", abstract: "Puts load on a center, and prints what came of it as one line of JSON.",
        subcommands: [
            PacketsCommand.self, OutbreakCommand.self, EnrolCommand.self, ConnectCommand.self, PostCommand.self, SeedCommand.self,
        ])
}

/// Where the center is, or the centers are, and a center's state folder, from whose authority the hosts' certificates are issued.
struct CenterOptions: ParsableArguments {
    @Option(help: "The center's address, as ADDRESS:PORT; or those of several centers over one database, separated by commas.")
    var center: String

    @Option(help: "The center's state folder.")
    var state: String

    func validate() throws {
        guard targets != nil else { throw ValidationError("--center takes ADDRESS:PORT, or several separated by commas") }
    }

    /// The first center; `nil`: the option is malformed.
    var target: Target? { targets?.first }

    /// `nil`: the option is malformed.
    var targets: [Target]? {
        let named = center.split(separator: ",", omittingEmptySubsequences: false)
        let targets = named.compactMap { Target(String($0)) }
        return targets.count == named.count ? targets : nil
    }
}

/// An address and a port.
struct Target: Sendable {
    let address: String
    let port: Int

    init?(_ text: String) {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else { return nil }
        (address, self.port) = (String(parts[0]), Int(port))
    }
}

/// Raises this process's limit of open files to the most that it may have.
func raiseFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
