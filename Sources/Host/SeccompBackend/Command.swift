// SPDX-License-Identifier: Apache-2.0

/// A command to run: what is run, with what, and where its standard streams go.
public struct Command: Hashable, Sendable {
    /// A path if it holds a slash; otherwise a name, looked for along `PATH` of ``environment``.
    public var name: String
    /// Without the program's own name.
    public var arguments: [String]
    /// `nil`: this process's own.
    public var environment: [String: String]?
    /// Descriptors that become the command's standard streams; `nil`: this process's own. They stay the caller's.
    public var standardInput: Int32?
    public var standardOutput: Int32?
    public var standardError: Int32?

    public init(
        _ name: String, _ arguments: [String] = [], environment: [String: String]? = nil, standardInput: Int32? = nil,
        standardOutput: Int32? = nil, standardError: Int32? = nil
    ) {
        self.name = name
        self.arguments = arguments
        self.environment = environment
        self.standardInput = standardInput
        self.standardOutput = standardOutput
        self.standardError = standardError
    }
}

/// How a command ended.
public enum ExitStatus: Hashable, Sendable {
    case exited(Int32)
    case signalled(Int32)

    /// As a shell gives it: the exit code, or 128 and the signal's number.
    public var shellCode: Int32 {
        switch self {
        case .exited(let code): code
        case .signalled(let number): 128 + number
        }
    }

    /// From ``epitope_wait``. A child that somebody else waited for counts as exited with 255.
    init(waited: Int32) {
        self = waited >= 256 ? .signalled(waited - 256) : .exited(waited >= 0 ? waited : 255)
    }
}
