// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Reads and writes by an open file's descriptor: interrupted calls are repeated, short ones are continued.
///
/// Reads state their place in the file (pread(2)) and leave the descriptor's own position alone, so that one descriptor can be
/// read several times, and by several threads.
public enum DescriptorIO {
    /// How much is read at a time, in bytes, where the length isn't known.
    private static let chunk = 64 << 10

    /// Reads once.
    ///
    /// - Returns: how many bytes came, at most the buffer's length; 0 at the file's end.
    public static func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        try retryingInterrupted { pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    /// Reads until the buffer is full or the file ends.
    ///
    /// - Returns: how many bytes were read.
    public static func fill(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: Int) throws(FileError) -> Int {
        var count = 0
        while count < buffer.count {
            let more = try read(descriptor, into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]), at: offset + count)
            if more == 0 { break }
            count += more
        }
        return count
    }

    /// The bytes from a place on: fewer than asked for where the file ends before.
    public static func bytes(_ descriptor: Int32, at offset: Int, count: Int) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, initialized in
            do throws(FileError) {
                initialized = try fill(
                    UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(room)[..<count]), from: descriptor, at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Everything from the file's beginning on, at most so many bytes. It asks until a read gives nothing: files of `/proc`
    /// state no length and give a page or so at a time.
    public static func readToEnd(_ descriptor: Int32, maxBytes: Int) throws(FileError) -> [UInt8] {
        var content: [UInt8] = []
        while content.count < maxBytes {
            let more = try piece(descriptor, at: content.count, maxBytes: min(chunk, maxBytes - content.count))
            if more.isEmpty { break }
            content += more
        }
        return content
    }

    private static func piece(_ descriptor: Int32, at offset: Int, maxBytes: Int) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let piece = [UInt8](unsafeUninitializedCapacity: maxBytes) { room, initialized in
            do throws(FileError) {
                initialized = try read(
                    descriptor, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(room)[..<maxBytes]), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return piece
    }

    /// Writes all bytes from a place in the file on.
    public static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int) throws(FileError) {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = try retryingInterrupted { pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written)) }
            guard count > 0 else { throw .system(EIO) }
            written += count
        }
    }

    /// Writes all bytes from a place in the file on.
    public static func write(_ bytes: [UInt8], to descriptor: Int32, at offset: Int) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { raw in
            do throws(FileError) { try write(raw, to: descriptor, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Writes once at the file's position, which is its end where it was opened with O_APPEND: no other writer's bytes come
    /// between these.
    ///
    /// - Returns: how many bytes were written, which may be fewer.
    public static func append(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(FileError) -> Int {
        try retryingInterrupted { Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
    }
}
