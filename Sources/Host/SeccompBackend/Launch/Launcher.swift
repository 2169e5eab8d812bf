// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc

/// Starts a command under the filter.
enum Launcher {
    /// Starts the child, which is about to execute the command: from now on its listener must be served.
    ///
    /// - Parameter guards: whether the command's calls into other processes are notified, and what the kernel can deny of them
    ///   by itself is denied (``SeccompBackend/Configuration/guardsOthers``).
    /// - Throws: `command-not-found`, `seccomp-busy`, `seccomp-unavailable`, `launch-failed`.
    static func start(_ command: Command, guards: Guards = Guards()) throws(EpitopeError) -> epitope_child {
        var environment = command.environment.map { $0.map { "\($0.key)=\($0.value)" } } ?? Self.ownEnvironment()
        if let user = command.user { environment = user.environment(from: environment) }
        let path = try resolve(command.name, environment: environment)
        let filter = (guards.seesIntrusions ? CallFilter.guardedCalls : .criticalCalls).instructions.map {
            epitope_filter_instruction(code: $0.code, jump_true: $0.ifTrue, jump_false: $0.ifFalse, operand: $0.operand)
        }
        var child = epitope_child()
        var error: Int32 = 0
        let failure = withPointers(to: [command.name] + command.arguments) { arguments in
            withPointers(to: environment) { environment in
                path.withCString { path in
                    filter.withUnsafeBufferPointer { filter in
                        CommandUser.withPointer(to: command.user) { user in
                            var request = epitope_command(
                                path: path, arguments: arguments, environment: environment,
                                standard_input: command.standardInput ?? -1, standard_output: command.standardOutput ?? -1,
                                standard_error: command.standardError ?? -1, filter: filter.baseAddress,
                                filter_length: UInt16(filter.count), user: user, confined: guards.confines)
                            return epitope_launch_start(&request, &child, &error)
                        }
                    }
                }
            }
        }
        if failure != EPITOPE_LAUNCH_OK { throw Self.error(failure, error, command) }
        return child
    }

    /// How processes outside of a command are guarded from it.
    struct Guards {
        /// Calls that reach into other processes are notified.
        var seesIntrusions = false
        /// The kernel itself keeps the command from reaching out (Landlock).
        var confines = false
    }

    /// Returns when the command runs. The listener must be served meanwhile.
    ///
    /// - Throws: `command-not-found`, `command-not-executable`, `launch-failed`.
    static func finish(_ child: inout epitope_child, _ command: Command) throws(EpitopeError) {
        var error: Int32 = 0
        let failure = epitope_launch_finish(&child, &error)
        if failure != EPITOPE_LAUNCH_OK { throw Self.error(failure, error, command) }
    }

    private static func error(_ failure: epitope_launch_failure, _ errno: Int32, _ command: Command) -> EpitopeError {
        let reason = String(cString: strerror(errno))
        switch failure {
        case EPITOPE_LAUNCH_FILTER where errno == EBUSY:
            return EpitopeError(
                .seccompBusy, "\(command.name) can't be protected: it would be under a second seccomp supervisor",
                remedy: "run epitope outside of the other one, since a tree of processes can have only one: an outer epitope run, a "
                    + "container runtime's, a sandbox (of a build tool, a coding assistant), or the relay of WSL 2, under which every "
                    + "process runs while its networking is mirrored (networkingMode=nat in .wslconfig ends that)")
        case EPITOPE_LAUNCH_FILTER:
            return EpitopeError(
                .seccompUnavailable, "\(command.name) can't be protected: the kernel refused the filter (\(reason))",
                remedy: "use Linux 5.5 or later with CONFIG_SECCOMP_FILTER; a container must allow the seccomp call")
        case EPITOPE_LAUNCH_USER:
            return EpitopeError(
                .launchFailed, "\(command.name) can't run as user \(command.user?.name ?? ""): \(reason)",
                remedy: "run epitope as root; in a container or user namespace, name a user that it has")
        case EPITOPE_LAUNCH_EXEC:
            return EpitopeError(
                errno == ENOENT ? .commandNotFound : .commandNotExecutable,
                "\(command.name) could not be run: \(reason)",
                remedy: "check the path, the file's permissions, and the interpreter in its first line")
        default:
            return EpitopeError(
                .launchFailed, "\(command.name) could not be started: \(reason)",
                remedy: "check the limits on processes and open files (ulimit -u, ulimit -n)")
        }
    }

    /// The path of a program, searched as a shell does.
    ///
    /// - Throws: `command-not-found`.
    static func resolve(_ name: String, environment: [String]) throws(EpitopeError) -> String {
        let missing = EpitopeError(
            .commandNotFound, "command not found: \(name.isEmpty ? "the name is empty" : name)",
            remedy: "use its path, or add its folder to PATH")
        if name.isEmpty || name.utf8.contains(0) { throw missing }
        if name.contains("/") { return name }
        let path = environment.first { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in path.split(separator: ":", omittingEmptySubsequences: false) {
            let candidate = folder.isEmpty ? "./\(name)" : "\(folder)/\(name)"
            var status = stat()
            if stat(candidate, &status) == 0, status.st_mode & S_IFMT == S_IFREG, access(candidate, X_OK) == 0 {
                return candidate
            }
        }
        throw missing
    }

    private static func ownEnvironment() -> [String] {
        var entries: [String] = []
        guard var entry = epitope_environment() else { return entries }
        while let text = entry.pointee {
            entries.append(String(cString: text))
            entry += 1
        }
        return entries
    }

    /// Passes texts as a NULL-terminated array of C strings.
    private static func withPointers<Result>(
        to texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeBufferPointer { buffer in
            // An array of at least one element has a base address.
            body(buffer.baseAddress!)
        }
    }
}
