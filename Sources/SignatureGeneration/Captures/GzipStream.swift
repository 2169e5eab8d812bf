// SPDX-License-Identifier: Apache-2.0

import CZlib

/// What gzip has compressed, a part at a time: recorders compress the captures that they have ended.
final class GzipStream {
    /// The first bytes of each file, and of each of several in a row.
    static let magic: [UInt8] = [0x1f, 0x8b]
    /// In bytes: how much comes out at a time. More may be in one byte than memory holds.
    private static let step = 256 << 10
    /// A window of 32 KiB, and gzip's head is expected.
    private static let bits: Int32 = 15 + 16

    /// zlib keeps its address.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    /// What is not decompressed yet.
    private var input: ArraySlice<UInt8> = []
    /// Whether one file ended where the input does.
    private var isBetween = true
    /// Whether zlib may have more of what it took.
    private var hasMore = false
    private let isSound: Bool

    init() {
        stream.initialize(to: z_stream())
        isSound = epitope_inflate_init(stream, Self.bits) == Z_OK
    }

    deinit {
        if isSound { inflateEnd(stream) }
        stream.deallocate()
    }

    /// Whether more has to be added before anything comes out.
    var needsInput: Bool { input.isEmpty && !hasMore }

    func add(_ bytes: [UInt8]) { input += bytes }

    /// Whether it may end here.
    var isWhole: Bool { isBetween && input.isEmpty }

    /// The next bytes; may be none.
    ///
    /// - Throws: where the rest is damaged.
    func next() throws(CaptureEnd) -> [UInt8] {
        guard isSound else { throw .failed("zlib has no memory") }
        var bytes = Array(input)
        var status = Z_OK
        let output = bytes.withUnsafeMutableBufferPointer { bytes in
            stream.pointee.next_in = bytes.baseAddress
            stream.pointee.avail_in = UInt32(bytes.count)
            return [UInt8](unsafeUninitializedCapacity: Self.step) { output, count in
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(Self.step)
                status = inflate(stream, Z_NO_FLUSH)
                count = Self.step - Int(stream.pointee.avail_out)
            }
        }
        input = bytes.suffix(Int(stream.pointee.avail_in))
        hasMore = status == Z_OK && stream.pointee.avail_out == 0
        switch status {
        case Z_OK: isBetween = false
        case Z_BUF_ERROR: break
        case Z_STREAM_END:
            isBetween = true
            inflateReset(stream)
        default: throw .failed("what gzip has compressed is damaged")
        }
        return output
    }
}
