// SPDX-License-Identifier: Apache-2.0

/// The instruction set that a piece of code was running in: what decides how its bytes are read.
///
/// A 32-bit program on a 64-bit kernel is ``x86_32``.
public enum Architecture: String, Hashable, Sendable, Codable, CaseIterable {
    case x86_32 = "x86-32"
    case x86_64 = "x86-64"
    case arm64

    /// The size of a pointer, and of a stack word, in bytes.
    public var wordSize: Int {
        self == .x86_32 ? 4 : 8
    }
}
