// SPDX-License-Identifier: Apache-2.0

/// A version of the host's application: `MAJOR.MINOR.PATCH`, with an optional `-PRERELEASE` (semver.org), in order.
public struct AgentVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let description: String
    private let numbers: [UInt32]
    /// Empty: a release, which is later than what comes before it.
    private let prerelease: [Substring]

    /// In bytes.
    static let maxLength = 32

    /// - Returns: `nil` for what is no version.
    public init?(_ text: some StringProtocol) {
        let text = String(text)
        guard text.utf8.count <= Self.maxLength else { return nil }
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(Self.number)
        guard numbers.count == 3, !numbers.contains(nil) else { return nil }
        let words = parts.count > 1 ? parts[1].split(separator: ".", omittingEmptySubsequences: false) : []
        guard words.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isWordByte) }) else { return nil }
        self.description = text
        self.numbers = numbers.compactMap(\.self)
        prerelease = words
    }

    public static func < (one: AgentVersion, other: AgentVersion) -> Bool {
        if one.numbers != other.numbers { return one.numbers.lexicographicallyPrecedes(other.numbers) }
        if one.prerelease.isEmpty || other.prerelease.isEmpty { return !one.prerelease.isEmpty && other.prerelease.isEmpty }
        return one.prerelease.lexicographicallyPrecedes(other.prerelease) { first, second in
            switch (number(first), number(second)) {
            case (let first?, let second?): first < second
            case (nil, nil): first < second
            // Numbers come first.
            case (let number, _): number != nil
            }
        }
    }

    /// One that has one form: no signs, no zeros before it.
    private static func number(_ text: Substring) -> UInt32? {
        UInt32(text).flatMap { String($0) == text ? $0 : nil }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }
}

/// An architecture that the host's application is built for, by the name that `uname -m` gives.
public enum AgentArchitecture: String, Hashable, Sendable, Codable, CaseIterable {
    case x86_64
    case aarch64

    /// That of this program.
    public static var current: AgentArchitecture {
        #if arch(arm64)
        .aarch64
        #else
        .x86_64
        #endif
    }

    /// By the field `e_machine` of an ELF header (elf.h).
    public init?(elfMachine number: UInt16) {
        switch number {
        case 62: self = .x86_64
        case 183: self = .aarch64
        default: return nil
        }
    }
}
