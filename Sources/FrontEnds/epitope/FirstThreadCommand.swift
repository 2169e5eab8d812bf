// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// A command that gives up rights, or starts a process, before anything else: rights belong to threads, and those that begin later
/// have what the first has.
protocol FirstThreadCommand: AsyncParsableCommand {
    /// Does what must be done while there is one thread.
    ///
    /// - Returns: the rest of the command.
    func begin() throws -> @Sendable () async throws -> Void
}

extension FirstThreadCommand {
    mutating func run() async throws { try await begin()() }
}
