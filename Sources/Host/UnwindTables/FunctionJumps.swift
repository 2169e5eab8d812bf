// SPDX-License-Identifier: Apache-2.0

/// Where a function's code can jump to outside of itself (``JumpScan``): the tail calls by which one function passes its caller
/// on to another.
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
            JumpScan.read(raw, raw.indices, startingAt: address) { found in
                switch found {
                case .jump(let target): if !range.contains(target) { far.append(target) }
                case .shortJump(let target): if !range.contains(target) { near.append(target) }
                case .slot(let slot): slots.append(slot)
                case .indirect: isIndirect = true
                case .call, .address: break
                }
            }
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
