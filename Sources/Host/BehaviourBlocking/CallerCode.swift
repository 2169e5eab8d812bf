// SPDX-License-Identifier: Apache-2.0

/// The code at a caller's address that send blocking looks for in a send buffer: the bytes that end at the address, and
/// the bytes around it.
public enum CallerCode {
    /// The length of each piece, in bytes: that of the caller window from which signatures start.
    public static let length: UInt64 = 32
    /// Shorter pieces, where the region begins or ends close to the caller, aren't looked for: they match by chance.
    public static let minLength = 16

    /// The addresses to read: from ``length`` bytes before the caller's address (or the region's start) to half of it
    /// behind.
    public static func range(aroundCaller callersAddress: UInt64, regionStart: UInt64) -> (start: UInt64, count: Int) {
        let before = min(callersAddress - min(regionStart, callersAddress), length)
        return (callersAddress - before, Int(before + length / 2))
    }

    /// The pieces to look for, each at least ``minLength`` bytes long.
    ///
    /// - Parameters:
    ///   - bytes: code of the caller's region.
    ///   - start: the address of the first byte.
    public static func pieces(of bytes: [UInt8], startingAt start: UInt64, callersAddress: UInt64) -> [[UInt8]] {
        guard callersAddress >= start, callersAddress - start <= UInt64(bytes.count) else { return [] }
        let caller = Int(callersAddress - start)
        let ending = bytes[max(0, caller - Int(length))..<caller]
        let around = bytes[max(0, caller - Int(length) / 2)..<min(bytes.count, caller + Int(length) / 2)]
        return [ending, around].filter { $0.count >= minLength }.map(Array.init)
    }
}
