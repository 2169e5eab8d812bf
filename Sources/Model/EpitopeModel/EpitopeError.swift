// SPDX-License-Identifier: Apache-2.0

/// An error that a user may see: what happened, to what, and what to do.
///
/// The `code` is the contract: it never changes its meaning, and scripts and tests match on it. The texts may be improved at
/// any time. Each module declares its codes in an extension of ``EpitopeError/Code``.
public struct EpitopeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A stable, lower-case, hyphenated name, such as `token-used`.
    public struct Code: RawRepresentable, Hashable, Sendable, Codable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        public init(_ rawValue: String) {
            self.rawValue = rawValue
        }
    }

    public let code: Code
    /// What happened, and to what.
    public let message: String
    /// What the user can do about it.
    public let remedy: String
    /// When to try again at the earliest, where the other side says so.
    public var retryAfterSeconds: Int?

    public init(_ code: Code, _ message: String, remedy: String, retryAfterSeconds: Int? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.retryAfterSeconds = retryAfterSeconds
    }

    public var description: String {
        "\(message) [\(code.rawValue)]\n  what to do: \(remedy)"
    }
}

extension EpitopeError.Code {
    /// A file could not be written because its disk, or its quota, is full. What was acknowledged before is safe.
    public static let diskFull = EpitopeError.Code("disk-full")
}
