// SPDX-License-Identifier: Apache-2.0

public import Foundation

/// A namespace (network or mounts) of a test's own, kept by a process that ends with the test's process at the latest:
/// with its last process it is gone, whatever lay in it.
public final class Namespace: Sendable {
    private let holder: RunningProcess

    /// - Parameters:
    ///   - kinds: options of unshare(1), such as `--net`.
    ///   - setup: a shell line that is run in it first.
    public init(_ kinds: [String], setup: String = "true") async throws {
        guard getuid() == 0 else { throw NeverCame(what: "a namespace: this test makes namespaces and devices in them: run it as root") }
        holder = try RunningProcess(
            ["/usr/bin/unshare"] + kinds + ["/bin/sh", "-c", "\(setup) && echo ready && exec tail --pid=\(getpid()) -f /dev/null"])
        try await holder.line(with: "ready")
    }

    public var identifier: pid_t { holder.identifier }

    /// The words that run a command in it; the command keeps nsenter's process id.
    public func inside(_ words: [String]) -> [String] {
        ["/usr/bin/nsenter", "--target", "\(identifier)", "--net", "--mount", "--"] + words
    }

    /// Runs a command in it to its end, which must be a good one.
    @discardableResult
    public func run(_ words: [String]) async throws -> Command {
        let inside = inside(words)
        let command = try await Command.run(inside[0], Array(inside.dropFirst()), seconds: 30)
        guard command.status == 0 else { throw NeverCame(what: "the end of \(words.joined(separator: " ")): \(command.errors)") }
        return command
    }
}
