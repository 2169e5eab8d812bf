// SPDX-License-Identifier: Apache-2.0

/// Bytes in the shape of 64-bit instructions, as compilers write them: moves, arithmetic and loads with random registers and
/// operands. They are data: made up, compared and matched, and never run.
public enum InertInstructions {
    /// So many bytes of whole instructions.
    public static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return bytes(count, &random)
    }

    public static func bytes(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let next = instruction(&random)
            // A push of a register where another instruction would be cut off.
            bytes += bytes.count + next.count <= count ? next : [UInt8.random(in: 0x50...0x57, using: &random)]
        }
        return bytes
    }

    private static func instruction(_ random: inout SeededGenerator) -> [UInt8] {
        func any(_ range: ClosedRange<UInt8>) -> UInt8 { UInt8.random(in: range, using: &random) }
        // Neither the stack pointer nor another register that needs a second byte.
        let plain: UInt8 = [0, 1, 2, 3, 5, 6, 7].randomElement(using: &random) ?? 0
        let register = any(0...7)
        let prefix: UInt8 = [0x48, 0x49, 0x4c].randomElement(using: &random) ?? 0x48
        switch any(0...6) {
        // mov, xor and test between registers.
        case 0: return [prefix, 0x89, 0xc0 | register << 3 | plain]
        case 1: return [0x31, 0xc0 | register << 3 | plain]
        case 2: return [prefix, 0x85, 0xc0 | register << 3 | plain]
        // mov and lea with a displacement.
        case 3: return [prefix, 0x8b, 0x40 | register << 3 | plain, any(0...255)]
        case 4: return [prefix, 0x8d, 0x40 | register << 3 | plain, any(0...255)]
        // Arithmetic with a constant.
        case 5: return [0x48, 0x83, 0xc0 | register << 3 | plain, any(0...255)]
        default: return [0x48, 0xc7, 0xc0 | plain, any(0...255), any(0...255), 0, 0]
        }
    }
}
