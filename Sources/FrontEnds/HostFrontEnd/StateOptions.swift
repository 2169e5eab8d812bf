// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
package import ArgumentParser
package import EpitopeModel
import FileAccess
import Foundation

/// Where a part of Epitope stores its persistent state.
package enum StateDirectory {
    /// The folder of a part: `--state` if it is set, else one below `/var/lib/epitope` for root and below
    /// `$XDG_STATE_HOME` or `~/.local/state` for others.
    package static func path(_ option: String?, part: String) -> String {
        if let option { return option }
        if getuid() == 0 { return "/var/lib/epitope/\(part)" }
        let environment = ProcessInfo.processInfo.environment
        return "\(base(environment))/epitope/\(part)"
    }

    /// As the XDG Base Directory Specification has it, an empty or relative value counts as none.
    package static func base(_ environment: [String: String]) -> String {
        if let base = environment["XDG_STATE_HOME"], base.hasPrefix("/") { return base }
        return "\(environment["HOME"] ?? "/tmp")/.local/state"
    }
}

/// `--state` of the commands of a host.
package struct HostStateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            The host's state folder (default: /var/lib/epitope/host for root; for others $XDG_STATE_HOME/epitope/host, or \
            ~/.local/state/epitope/host).
            """, valueName: "folder"))
    package var state: String?

    package init() {}

    package func validate() throws {
        guard state != "" else { throw ValidationError("--state takes a folder") }
    }

    package var directory: String { StateDirectory.path(state, part: "host") }

    /// Where the identity for a center is stored.
    package func identityDirectory(_ destination: String) -> String { "\(directory)/\(destination)" }

    /// - Throws: `host-state-missing` where there is no such folder: a command that only looks makes none. `host-state-unreadable`
    ///   where this user may not look into it: what can't be read must not look like a host on which nothing happened.
    package func requireDirectory() throws(EpitopeError) {
        let isReadable = access(directory, R_OK | X_OK) == 0
        guard isReadable || errno != EACCES else {
            throw EpitopeError(
                .hostStateUnreadable, "this user can't look into the state folder \(directory)",
                remedy: "run the command as the folder's owner, or as root; or name another folder with --state")
        }
        guard (try? FileStatus(path: directory))?.kind == .folder else {
            throw EpitopeError(
                .hostStateMissing, "no such folder: \(directory)",
                remedy: "name the host's state folder with --state; epitope enroll and epitope run make one")
        }
    }

    /// Why the folder is not this user's alone; `nil` if it is, or isn't there. `epitope agent` refuses such a folder.
    package var openness: EpitopeError? {
        guard let status = try? FileStatus(path: directory), status.kind == .folder else { return nil }
        let what: String
        if status.permissions & 0o022 != 0 {
            what = "is writable by users other than its owner (mode \(String(status.permissions, radix: 8)))"
        } else if status.owner != 0, status.owner != geteuid() {
            what = "belongs to user \(status.owner)"
        } else {
            return nil
        }
        return EpitopeError(
            .folderNotPrivate, "the state folder \(directory) \(what), who could replace the host's key and packets",
            remedy: "give it to this user alone: chmod 700 \(directory)")
    }
}

extension EpitopeError.Code {
    /// The host's state folder isn't there.
    package static let hostStateMissing = EpitopeError.Code("host-state-missing")
    /// The host's state folder is there, and this user may not look into it.
    package static let hostStateUnreadable = EpitopeError.Code("host-state-unreadable")
}
