// SPDX-License-Identifier: Apache-2.0

/// A command to run, with its arguments, environment and standard streams.
public struct Command: Hashable, Sendable {
    /// A path if it contains a slash; otherwise a name, searched along `PATH` of ``environment``.
    public var name: String
    /// Without the program's own name.
    public var arguments: [String]
    /// `nil`: this process's own.
    public var environment: [String: String]?
    /// Descriptors that become the command's standard streams; `nil`: this process's own. They stay the caller's.
    public var standardInput: Int32?
    public var standardOutput: Int32?
    public var standardError: Int32?
    /// `nil`: this process's own.
    public var user: CommandUser?

    public init(
        _ name: String, _ arguments: [String] = [], environment: [String: String]? = nil, standardInput: Int32? = nil,
        standardOutput: Int32? = nil, standardError: Int32? = nil, user: CommandUser? = nil
    ) {
        self.name = name
        self.arguments = arguments
        self.environment = environment
        self.standardInput = standardInput
        self.standardOutput = standardOutput
        self.standardError = standardError
        self.user = user
    }
}

/// How a command ended.
public enum ExitStatus: Hashable, Sendable {
    case exited(Int32)
    case signalled(Int32)

    /// The exit code as a shell reports it: for a signal, 128 plus its number.
    public var shellCode: Int32 {
        switch self {
        case .exited(let code): code
        case .signalled(let number): 128 + number
        }
    }

    /// From ``epitope_wait``. If the child's status was collected elsewhere, it counts as exited with 255.
    init(waited: Int32) {
        self = waited >= 256 ? .signalled(waited - 256) : .exited(waited >= 0 ? waited : 255)
    }
}
