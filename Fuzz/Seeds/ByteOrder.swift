// SPDX-License-Identifier: Apache-2.0

/// The bytes of numbers in both byte orders.
enum ByteOrder {
    /// The lowest byte first.
    static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }

    /// The highest byte first.
    static func big(_ value: UInt64, _ count: Int) -> [UInt8] { little(value, count).reversed() }
}
