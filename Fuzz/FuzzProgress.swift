// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The progress of a worker, in a file that it shares with its parent and that survives its crash.
///
/// The file has the number of the current input plus one (0 for none yet), the number of accepted inputs, the bytes of all inputs
/// and of the longest, the processor time and the memory that they took, then for each code of rejections its count and its name, 48
/// bytes that end in NUL. Numbers have 64 bits.
struct FuzzProgress {
    struct Tally {
        /// The last or current input; `nil` before the first.
        var current: Int?
        var accepted: Int
        /// In bytes, of all inputs that were read to their end, and of the longest.
        var bytes: Int
        var longest: Int
        /// Of processor time, for all of them.
        var nanoseconds: Int
        /// In bytes: the most that a worker had in use beyond what it began with.
        var memory: Int
        /// By code, the most frequent first.
        var refused: [(code: String, count: Int)]
    }

    private static let codes = 64
    private static let nameLength = 48
    private static let entry = 8 + nameLength
    private static let header = 48
    private static let length = header + codes * entry

    private let memory: UnsafeMutableRawPointer

    /// Creates the file, all zero.
    static func create(at path: String) throws {
        try Data(count: length).write(to: URL(fileURLWithPath: path))
    }

    /// Opens the file in the worker. The mapping stays until the process exits.
    init(mapping path: String) throws {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0, let memory = mmap(nil, Self.length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
            memory != MAP_FAILED
        else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        close(descriptor)
        self.memory = memory
    }

    func begin(_ number: Int) {
        memory.storeBytes(of: UInt64(number) + 1, as: UInt64.self)
    }

    func accept() { add(1, at: 8) }

    /// What reading one input took.
    func charge(bytes: Int, nanoseconds: Int) {
        add(UInt64(bytes), at: 16)
        raise(UInt64(bytes), at: 24)
        add(UInt64(max(0, nanoseconds)), at: 32)
    }

    func note(memory: Int) { raise(UInt64(max(0, memory)), at: 40) }

    private func raise(_ value: UInt64, at offset: Int) {
        let held = memory.load(fromByteOffset: offset, as: UInt64.self)
        memory.storeBytes(of: max(held, value), toByteOffset: offset, as: UInt64.self)
    }

    /// Codes beyond the 64th are counted together.
    func refuse(_ code: String) {
        let name = Array(code.utf8.prefix(Self.nameLength - 1))
        for index in 0..<Self.codes {
            let place = Self.header + index * Self.entry
            let held = UnsafeRawBufferPointer(start: memory + place + 8, count: Self.nameLength).prefix { $0 != 0 }
            if held.isEmpty { (memory + place + 8).copyMemory(from: name, byteCount: name.count) }
            if held.isEmpty || held.elementsEqual(name) || index == Self.codes - 1 {
                add(1, at: place)
                return
            }
        }
    }

    private func add(_ count: UInt64, at offset: Int) {
        memory.storeBytes(of: memory.load(fromByteOffset: offset, as: UInt64.self) &+ count, toByteOffset: offset, as: UInt64.self)
    }

    /// Reads the file in the parent.
    static func read(_ path: String) throws -> Tally {
        let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        guard data.count == length else { throw POSIXError(.EIO) }
        func number(at offset: Int) -> Int {
            data.withUnsafeBytes { Int(truncatingIfNeeded: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
        }
        var refused: [(code: String, count: Int)] = []
        for place in stride(from: header, to: length, by: entry) where number(at: place) > 0 {
            let name = data[(place + 8)..<(place + entry)].prefix { $0 != 0 }
            refused.append((String(decoding: name, as: UTF8.self), number(at: place)))
        }
        let published = number(at: 0)
        return Tally(
            current: published > 0 ? published - 1 : nil, accepted: number(at: 8), bytes: number(at: 16), longest: number(at: 24),
            nanoseconds: number(at: 32), memory: number(at: 40), refused: refused.sorted { $0.count > $1.count })
    }
}
