// SPDX-License-Identifier: Apache-2.0

/// A message of HTTP/1 (RFC 9112): where its parts lie in the stream.
struct HTTPMessage {
    /// Of a request.
    var target: Range<Int>?
    /// The body's parts in their order: several if it came in chunks.
    var body: [Range<Int>]
    /// The names in Content-Encoding, in small letters, in the order in which they were applied.
    var codings: [String]
}

/// The messages of one side of a connection, one after the other, as far as they are of the usual form.
struct HTTPMessages {
    /// In bytes, and in number: libhtp reads no longer line, and no more fields.
    private static let maxLine = 18_000
    private static let maxFields = 1024
    /// More chunks than a body of ``BodyDecoding/maxBytes`` has of any use.
    private static let maxChunks = BodyDecoding.maxBytes

    private let bytes: [UInt8]
    private let isRequest: Bool
    private var place = 0

    init(_ bytes: [UInt8], isRequest: Bool) {
        self.bytes = bytes
        self.isRequest = isRequest
    }

    /// The next message; `nil` where no other begins.
    mutating func next() -> HTTPMessage? {
        guard let start = line() else { return nil }
        var message = HTTPMessage(target: nil, body: [], codings: [])
        var hasBody = true
        if isRequest {
            guard let target = Self.target(of: start, in: bytes) else { return nil }
            message.target = target
        } else {
            guard let status = Self.status(of: bytes[start]) else { return nil }
            hasBody = status >= 200 && status != 204 && status != 304
        }
        guard let framing = fields(&message) else { return nil }
        switch framing {
        case _ where !hasBody: break
        case .chunked: chunks(&message)
        case .length(let length): take(length, &message)
        case .open: if !isRequest { take(bytes.count, &message) }
        }
        return message
    }

    /// How a body's end is told.
    private enum Framing {
        case chunked
        case length(Int)
        /// By the end of the connection; a request has no body then.
        case open
    }

    private mutating func take(_ count: Int, _ message: inout HTTPMessage) {
        let part = place..<place + min(count, bytes.count - place)
        if !part.isEmpty { message.body.append(part) }
        place = part.upperBound
    }

    private mutating func chunks(_ message: inout HTTPMessage) {
        while message.body.count < Self.maxChunks, let line = line() {
            let digits = bytes[line].prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
            guard (1...8).contains(digits.count), let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0 else {
                break
            }
            guard size > 0 else {
                // Fields behind the last chunk, up to an empty line.
                while let line = self.line(), !line.isEmpty {}
                return
            }
            take(size, &message)
            guard let end = self.line(), end.isEmpty else { break }
        }
        // What follows can't be told.
        place = bytes.count
    }

    /// Reads the fields.
    ///
    /// - Returns: `nil` if they are not of the usual form, or have no end.
    private mutating func fields(_ message: inout HTTPMessage) -> Framing? {
        var framing = Framing.open
        for _ in 0..<Self.maxFields {
            guard let line = line() else { return nil }
            if line.isEmpty { return framing }
            guard let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")), colon > line.lowerBound,
                bytes[line.lowerBound] != UInt8(ascii: " "), bytes[line.lowerBound] != UInt8(ascii: "\t")
            else { return nil }
            let value = Self.text(bytes[colon + 1..<line.upperBound])
            switch Self.text(bytes[line.lowerBound..<colon]) {
            case "content-length":
                guard let length = Int(value), length >= 0 else { return nil }
                if case .open = framing { framing = .length(length) }
            case "transfer-encoding":
                // Suricata takes no compression out that is named here.
                guard value == "chunked" else { return nil }
                framing = .chunked
            case "content-encoding": message.codings += value.split(separator: ",").map { Self.text(Array($0.utf8)[...]) }
            default: break
            }
        }
        return nil
    }

    /// The next line without its end; `nil` if it has none, or is too long.
    private mutating func line() -> Range<Int>? {
        let start = place
        guard let feed = bytes[start..<min(bytes.count, start + Self.maxLine)].firstIndex(of: 10) else { return nil }
        place = feed + 1
        return start..<(feed > start && bytes[feed - 1] == 13 ? feed - 1 : feed)
    }

    /// In small letters, without blanks at both ends.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let trimmed = bytes.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
        return String(decoding: trimmed, as: UTF8.self).lowercased()
    }

    private static let version = Array(" HTTP/1.".utf8)

    /// Of `METHOD TARGET HTTP/1.1`.
    private static func target(of line: Range<Int>, in bytes: [UInt8]) -> Range<Int>? {
        let text = bytes[line]
        let method = text.prefix { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "-") }
        let end = line.upperBound - version.count - 1
        // Behind CONNECT another protocol begins.
        guard !method.isEmpty, end > method.endIndex, text[method.endIndex] == UInt8(ascii: " "), !method.elementsEqual("CONNECT".utf8),
            text[end..<line.upperBound - 1].elementsEqual(version)
        else { return nil }
        return method.endIndex + 1..<end
    }

    /// Of `HTTP/1.1 200 OK`.
    private static func status(of line: ArraySlice<UInt8>) -> Int? {
        guard line.count >= 12, line.starts(with: version.dropFirst()), line[line.startIndex + 8] == UInt8(ascii: " ") else { return nil }
        return Int(String(decoding: line.dropFirst(9).prefix(3), as: UTF8.self))
    }
}
