// SPDX-License-Identifier: Apache-2.0

package import ArgumentParser
import EpitopeModel
import Foundation

/// Where a part of Epitope stores its persistent state.
package enum StateDirectory {
    /// The folder of a part: `--state` if it is set, else one below `/var/lib/epitope` for root and below
    /// `$XDG_STATE_HOME` or `~/.local/state` for others.
    package static func path(_ option: String?, part: String) -> String {
        if let option { return option }
        if getuid() == 0 { return "/var/lib/epitope/\(part)" }
        let environment = ProcessInfo.processInfo.environment
        let base = environment["XDG_STATE_HOME"] ?? "\(environment["HOME"] ?? "/tmp")/.local/state"
        return "\(base)/epitope/\(part)"
    }
}

/// `--state` of the commands of a host.
package struct HostStateOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The host's state folder.", valueName: "folder"))
    package var state: String?

    package init() {}

    package var directory: String { StateDirectory.path(state, part: "host") }

    /// Where the identity for a center is stored.
    package func identityDirectory(_ destination: String) -> String { "\(directory)/\(destination)" }
}
