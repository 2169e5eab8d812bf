// SPDX-License-Identifier: Apache-2.0

/// Numbers of network headers: the highest byte first.
extension ArraySlice<UInt8> {
    /// A byte, counted from the start of the slice, which must be long enough.
    func byte(at offset: Int) -> Int { Int(self[startIndex + offset]) }

    /// Two bytes.
    func word(at offset: Int) -> Int { byte(at: offset) << 8 | byte(at: offset + 1) }

    /// Four bytes.
    func long(at offset: Int) -> UInt32 { UInt32(word(at: offset)) << 16 | UInt32(word(at: offset + 2)) }
}
