// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import Glibc
import ProcessInspection

/// The memory of a stalled process, read from outside.
struct ProcessMemory: Sendable {
    let thread: pid_t

    /// The bytes from an address on that can be read: fewer than requested where the mapping ends or can't be read.
    func read(_ address: UInt64, _ count: Int) -> [UInt8] {
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = max(0, epitope_read_memory(thread, address, buffer.baseAddress, count))
        }
    }

    /// Little-endian words of 4 or 8 bytes; as many as could be read whole.
    func words(_ address: UInt64, count: Int, size: Int) -> [UInt64] {
        let bytes = read(address, count * size)
        return bytes.withUnsafeBytes { raw in
            (0..<raw.count / size).map { index in
                size == 8
                    ? raw.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
                    : UInt64(raw.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
            }
        }
    }

    /// A zero-terminated text of at most `limit` bytes; `nil` when nothing can be read there.
    func text(_ address: UInt64, limit: Int) -> String? {
        guard address != 0 else { return nil }
        let bytes = read(address, limit)
        guard !bytes.isEmpty else { return nil }
        return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Whether a call instruction may end right before an address: whether the address can be a return address.
    func hasCallInstruction(endingAt address: UInt64) -> Bool {
        let wanted = min(UInt64(CallInstruction.maxLength), address)
        let isCall = withUnsafeTemporaryAllocation(byteCount: CallInstruction.maxLength, alignment: 8) { buffer -> Bool? in
            let buffer = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)])
            let count = epitope_read_memory(thread, address - wanted, buffer.baseAddress, buffer.count)
            return count == buffer.count ? CallInstruction.ends(UnsafeRawBufferPointer(buffer)) : nil
        }
        if let isCall { return isCall }
        // The mapping may begin less than the longest instruction before the address.
        return (2..<max(2, Int(wanted))).reversed().contains { count in
            let bytes = read(address - UInt64(count), count)
            return bytes.count == count && CallInstruction.ends(bytes)
        }
    }
}
