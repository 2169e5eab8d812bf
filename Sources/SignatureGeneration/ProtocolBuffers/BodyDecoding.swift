// SPDX-License-Identifier: Apache-2.0

import CZlib

/// HTTP bodies without chunks and compression, as far as an engine looks at them.
enum BodyDecoding {
    /// In bytes: how much of a body Suricata looks at by the settings that come with it (`request-body-limit` and
    /// `response-body-limit`, 100 KiB).
    static let maxBytes = 100 << 10
    /// How many compressions Suricata takes out of one another (`response-body-decompress-layer-limit`).
    private static let maxCodings = 2
    /// In bytes: of what is compressed once more.
    private static let maxInnerBytes = 4 * maxBytes

    /// How much may come out of the compressed bodies of one stream: a part of a mebibyte holds some 3,500 bodies of 100 KiB.
    struct Budget {
        private static let minBytes = 1 << 20
        private static let expansion = 8

        private var left: Int

        /// - Parameter count: in bytes: the length of the stream.
        init(of count: Int) { left = max(Self.minBytes, Self.expansion * count) }

        var isSpent: Bool { left <= 0 }

        mutating func take(_ count: Int) { left -= count }
    }

    /// - Returns: `nil` where there is none, or in a compression that Suricata doesn't know, or when the budget is spent.
    static func body(of message: HTTPMessage, in bytes: [UInt8], _ budget: inout Budget) -> [UInt8]? {
        let codings = message.codings.filter { $0 != "identity" && !$0.isEmpty }
        let formats = codings.compactMap(Inflation.Format.init)
        guard !message.body.isEmpty, formats.count == codings.count, formats.count <= maxCodings, !budget.isSpent else { return nil }
        guard let last = formats.last else {
            var whole: [UInt8] = []
            for part in message.body where whole.count < maxBytes { whole += bytes[part].prefix(maxBytes - whole.count) }
            return whole
        }
        var decoded = Inflation.inflate(
            message.body.map { bytes[$0] }, last, maxBytes: formats.count > 1 ? maxInnerBytes : maxBytes)
        budget.take(decoded.count)
        if formats.count > 1 {
            decoded = Inflation.inflate([decoded[...]], formats[0], maxBytes: maxBytes)
            budget.take(decoded.count)
        }
        return decoded.isEmpty ? nil : decoded
    }
}

/// What zlib has compressed.
enum Inflation {
    /// The forms that HTTP names.
    enum Format {
        case gzip
        /// With zlib's head as it should be (RFC 9110, section 8.4.1), or without.
        case deflate

        init?(_ name: String) {
            switch name {
            case "gzip", "x-gzip": self = .gzip
            case "deflate", "x-deflate": self = .deflate
            default: return nil
            }
        }
    }

    private static let windowBits: Int32 = 15
    /// Added to the bits of the window: gzip's head is expected.
    private static let gzipBits: Int32 = 16
    private static let step = 16 << 10

    /// The beginning of what comes out, up to where it is damaged, ends, or is long enough.
    static func inflate(_ parts: [ArraySlice<UInt8>], _ format: Format, maxBytes: Int) -> [UInt8] {
        switch format {
        case .gzip: return inflate(parts, bits: windowBits + gzipBits, maxBytes: maxBytes)
        case .deflate:
            let whole = inflate(parts, bits: windowBits, maxBytes: maxBytes)
            return whole.isEmpty ? inflate(parts, bits: -windowBits, maxBytes: maxBytes) : whole
        }
    }

    private static func inflate(_ parts: [ArraySlice<UInt8>], bits: Int32, maxBytes: Int) -> [UInt8] {
        var stream = z_stream()
        return withUnsafeMutablePointer(to: &stream) { stream in
            // zlib keeps the stream's address.
            guard epitope_inflate_init(stream, bits) == Z_OK else { return [] }
            defer { inflateEnd(stream) }
            var whole: [UInt8] = []
            for part in parts where !add(part, to: &whole, stream, maxBytes: maxBytes) { break }
            return whole
        }
    }

    /// - Returns: whether more can follow.
    private static func add(
        _ part: ArraySlice<UInt8>, to whole: inout [UInt8], _ stream: UnsafeMutablePointer<z_stream>, maxBytes: Int
    ) -> Bool {
        var input = Array(part)
        return input.withUnsafeMutableBufferPointer { input in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            while true {
                let room = min(step, maxBytes - whole.count)
                guard room > 0 else { return false }
                var status = Z_OK
                let piece = [UInt8](unsafeUninitializedCapacity: room) { output, count in
                    stream.pointee.next_out = output.baseAddress
                    stream.pointee.avail_out = UInt32(room)
                    status = CZlib.inflate(stream, Z_NO_FLUSH)
                    count = room - Int(stream.pointee.avail_out)
                }
                whole += piece
                if status == Z_BUF_ERROR { return true }
                guard status == Z_OK else { return false }
                if stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 { return true }
            }
        }
    }
}
