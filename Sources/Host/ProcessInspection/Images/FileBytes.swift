// SPDX-License-Identifier: Apache-2.0

public import FileAccess

/// Bytes of a file, or of memory, by their place: little-endian numbers, and `nil` where they end too early.
public struct FileBytes {
    /// Reads so many bytes at a place; `nil` where there are fewer.
    public let read: (_ offset: UInt64, _ count: Int) -> [UInt8]?

    public init(_ read: @escaping (_ offset: UInt64, _ count: Int) -> [UInt8]?) {
        self.read = read
    }

    /// The bytes of an open file.
    public init(_ file: FileDescriptor) {
        self.init { offset, count in
            guard let offset = Int(exactly: offset), let bytes = try? DescriptorIO.bytes(file.number, at: offset, count: count) else {
                return nil
            }
            return bytes.count == count ? bytes : nil
        }
    }

    public init(_ bytes: [UInt8]) {
        self.init { offset, count in
            guard let start = Int(exactly: offset), start <= bytes.count, count <= bytes.count - start else { return nil }
            return Array(bytes[start..<start + count])
        }
    }

    func integer<Value: FixedWidthInteger>(_ type: Value.Type, at offset: UInt64) -> Value? {
        read(offset, MemoryLayout<Value>.size)?.integer(type, at: 0)
    }
}

extension [UInt8] {
    /// A little-endian number; `nil` where the bytes end too early.
    public func integer<Value: FixedWidthInteger>(_: Value.Type, at offset: Int) -> Value? {
        guard offset >= 0, offset <= count, count - offset >= MemoryLayout<Value>.size else { return nil }
        return withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self)) }
    }
}
