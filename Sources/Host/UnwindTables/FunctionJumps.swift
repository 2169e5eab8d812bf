// SPDX-License-Identifier: Apache-2.0

/// Where a function's code can jump to outside of itself: the tail calls by which one function passes its caller on to another.
///
/// Every byte is read as if an instruction began there, so no jump is missed; a few that are found are no jumps. That errs on
/// the side of a call that can have been made.
public struct FunctionJumps: Hashable, Sendable {
    /// Addresses (before relocation) outside of the function, by jumps with a 32-bit displacement.
    public var far: [UInt64] = []
    /// The same by jumps of one byte's reach: meaningful only where a function begins.
    public var near: [UInt64] = []
    /// The slots that `jmp *slot(%rip)` reads.
    public var slots: [UInt64] = []
    /// Whether there is a jump through a register or other memory. Jump tables of a `switch` look the same.
    public var isIndirect = false

    /// - Parameters:
    ///   - code: the function's bytes.
    ///   - address: of the first byte, before relocation.
    ///   - range: the function's addresses.
    public init(in code: [UInt8], at address: UInt64, of range: Range<UInt64>) {
        code.withUnsafeBytes { raw in
            for index in raw.indices { read(raw, index, address, range) }
        }
    }

    private mutating func read(_ raw: UnsafeRawBufferPointer, _ index: Int, _ address: UInt64, _ range: Range<UInt64>) {
        func target(displacementAt place: Int, size: Int) -> UInt64? {
            guard place + size <= raw.count else { return nil }
            let value =
                size == 1
                ? Int64(raw.loadUnaligned(fromByteOffset: place, as: Int8.self))
                : Int64(Int32(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: Int32.self)))
            return address &+ UInt64(place + size) &+ UInt64(bitPattern: value)
        }
        func leaving(_ target: UInt64?) -> UInt64? { target.flatMap { range.contains($0) ? nil : $0 } }
        let next = index + 1 < raw.count ? raw[index + 1] : 0
        switch raw[index] {
        case 0xE9: if let found = leaving(target(displacementAt: index + 1, size: 4)) { far.append(found) }
        case 0x0F where next & 0xF0 == 0x80: if let found = leaving(target(displacementAt: index + 2, size: 4)) { far.append(found) }
        case 0xEB, 0x70...0x7F: if let found = leaving(target(displacementAt: index + 1, size: 1)) { near.append(found) }
        case 0xFF where next == 0x25: if let slot = target(displacementAt: index + 2, size: 4) { slots.append(slot) }
        // FF /4: jump through a register or memory.
        case 0xFF where next >> 3 & 7 == 4: isIndirect = true
        // mov REGISTER, (%rsp); ret: what thunks against speculation make of an indirect jump.
        case 0x48, 0x4C:
            if index + 4 < raw.count, next == 0x89, raw[index + 2] & 0xC7 == 0x04, raw[index + 3] == 0x24, raw[index + 4] == 0xC3 {
                isIndirect = true
            }
        default: break
        }
    }

    /// The slot that a stub of a procedure linkage table jumps through: an optional `endbr64`, an optional prefix, then
    /// `jmp *slot(%rip)`; `nil` for other code.
    public static func slot(ofStub code: [UInt8], at address: UInt64) -> UInt64? {
        var index = 0
        if code.starts(with: [0xF3, 0x0F, 0x1E, 0xFA]) { index += 4 }
        if index < code.count, code[index] == 0xF2 { index += 1 }
        guard index + 6 <= code.count, code[index] == 0xFF, code[index + 1] == 0x25 else { return nil }
        let low = code[index + 2..<index + 6].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return address &+ UInt64(index + 6) &+ UInt64(bitPattern: Int64(Int32(bitPattern: low)))
    }

    /// Whether code is that part of a stub which has a symbol looked up: an optional `endbr64`, `push NUMBER`, a jump.
    public static func isUnresolvedStub(_ code: [UInt8]) -> Bool {
        var rest = code[...]
        if rest.starts(with: [0xF3, 0x0F, 0x1E, 0xFA]) { rest = rest.dropFirst(4) }
        guard rest.count > 5, rest.first == 0x68 else { return false }
        rest = rest.dropFirst(5)
        return rest.first == 0xE9 || rest.starts(with: [0xF2, 0xE9])
    }
}
