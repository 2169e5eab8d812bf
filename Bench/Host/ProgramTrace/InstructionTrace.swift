// SPDX-License-Identifier: Apache-2.0

/// Interprets eBPF instructions (RFC 9669) to count them on one path: memory and the results of calls are given. The count is what
/// the kernel would execute of the program, without the helpers that it calls.
public struct InstructionTrace {
    /// The value that a load from an address returns.
    public typealias Memory = (_ address: UInt64, _ size: Int) -> UInt64

    public enum Failure: Error, Equatable {
        /// An unsupported instruction, and its index.
        case unknown(UInt8, at: Int)
        case outside(Int)
        case endless
    }

    public private(set) var executed = 0
    /// Calls of helpers, kernel functions and the program's own.
    public private(set) var calls = 0
    public private(set) var result: UInt64 = 0

    private let instructions: [UInt64]
    private let memory: Memory
    private var stack: [UInt64: UInt64] = [:]

    /// The end of the stack, away from all other addresses.
    private static let frame: UInt64 = 0xFFFF_C000_0000_0000

    /// - Parameters:
    ///   - instructions: eight bytes each; one that loads 64 bits takes two.
    ///   - context: the program's argument.
    ///   - returned: the result of every call.
    ///   - maxInstructions: a program that executes more is taken to be endless.
    public init(
        of instructions: [UInt64], context: UInt64, returned: UInt64 = 0, maxInstructions: Int = 100_000, memory: @escaping Memory
    ) throws(Failure) {
        self.instructions = instructions
        self.memory = memory
        try run(context, returned, maxInstructions)
    }

    private mutating func run(_ context: UInt64, _ returned: UInt64, _ maxInstructions: Int) throws(Failure) {
        var registers = [UInt64](repeating: 0, count: 12)
        registers[1] = context
        registers[10] = Self.frame
        var place = 0
        while true {
            guard instructions.indices.contains(place) else { throw .outside(place) }
            guard executed < maxInstructions else { throw .endless }
            let word = instructions[place]
            let code = UInt8(truncatingIfNeeded: word)
            let to = Int(word >> 8 & 15)
            let from = Int(word >> 12 & 15)
            let offset = Int(Int16(truncatingIfNeeded: word >> 16))
            let immediate = UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: word >> 32)))
            executed += 1
            place += 1
            switch code & 7 {
            case 0:  // 64 bits in two instructions
                guard code == 0x18, place < instructions.count else { throw .unknown(code, at: place - 1) }
                registers[to] = immediate & 0xFFFF_FFFF | (instructions[place] >> 32) << 32
                place += 1
            case 1: registers[to] = load(registers[from] &+ UInt64(bitPattern: Int64(offset)), size(code))
            case 2: store(registers[to] &+ UInt64(bitPattern: Int64(offset)), immediate)
            case 3: store(registers[to] &+ UInt64(bitPattern: Int64(offset)), registers[from])
            case 4, 7:
                let is64Bit = code & 7 == 7
                let right = code & 8 != 0 ? registers[from] : immediate
                guard let value = Self.compute(code >> 4, registers[to], right, is64Bit) else { throw .unknown(code, at: place - 1) }
                registers[to] = value
            default:
                let right = code & 8 != 0 ? registers[from] : immediate
                switch code >> 4 {
                case 8:
                    calls += 1
                    registers[0] = returned
                case 9:
                    result = registers[0]
                    return
                case 0: place += code & 7 == 6 ? Int(Int64(bitPattern: immediate)) : offset
                default:
                    guard let jumps = Self.compare(code >> 4, registers[to], right, code & 7 == 5) else {
                        throw .unknown(code, at: place - 1)
                    }
                    if jumps { place += offset }
                }
            }
        }
    }

    private func size(_ code: UInt8) -> Int { [4, 2, 1, 8][Int(code >> 3 & 3)] }

    private func load(_ address: UInt64, _ size: Int) -> UInt64 {
        if let value = stack[address] { return value }
        return memory(address, size)
    }

    private mutating func store(_ address: UInt64, _ value: UInt64) {
        // What is stored elsewhere than on the stack, such as a counter, nobody reads again.
        if address > Self.frame &- 4096, address < Self.frame { stack[address] = value }
    }

    private static func compute(_ operation: UInt8, _ left: UInt64, _ right: UInt64, _ is64Bit: Bool) -> UInt64? {
        let mask: UInt64 = is64Bit ? .max : 0xFFFF_FFFF
        let left = left & mask
        let right = right & mask
        let bits: UInt64 = is64Bit ? 63 : 31
        let value: UInt64
        switch operation {
        case 0x0: value = left &+ right
        case 0x1: value = left &- right
        case 0x2: value = left &* right
        case 0x3: value = right == 0 ? 0 : left / right
        case 0x4: value = left | right
        case 0x5: value = left & right
        case 0x6: value = left << (right & bits)
        case 0x7: value = left >> (right & bits)
        case 0x8: value = 0 &- left
        case 0x9: value = right == 0 ? left : left % right
        case 0xA: value = left ^ right
        case 0xB: value = right
        case 0xC:
            value =
                is64Bit
                ? UInt64(bitPattern: Int64(bitPattern: left) >> Int64(right & bits))
                : UInt64(UInt32(bitPattern: Int32(truncatingIfNeeded: left) >> Int32(right & bits)))
        default: return nil
        }
        return value & mask
    }

    private static func compare(_ operation: UInt8, _ left: UInt64, _ right: UInt64, _ is64Bit: Bool) -> Bool? {
        let left = is64Bit ? left : left & 0xFFFF_FFFF
        let right = is64Bit ? right : right & 0xFFFF_FFFF
        let (a, b) =
            is64Bit
            ? (Int64(bitPattern: left), Int64(bitPattern: right))
            : (Int64(Int32(truncatingIfNeeded: left)), Int64(Int32(truncatingIfNeeded: right)))
        switch operation {
        case 0x1: return left == right
        case 0x2: return left > right
        case 0x3: return left >= right
        case 0x4: return left & right != 0
        case 0x5: return left != right
        case 0x6: return a > b
        case 0x7: return a >= b
        case 0xA: return left < right
        case 0xB: return left <= right
        case 0xC: return a < b
        case 0xD: return a <= b
        default: return nil
        }
    }
}
