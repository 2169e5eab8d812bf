// SPDX-License-Identifier: Apache-2.0

/// The blocks of a pcapng file (draft-ietf-opsawg-pcapng): any number of sections and interfaces, each with its own link type,
/// snapshot length and times.
struct PcapngFormat {
    private enum Block {
        static let section = 0x0a0d_0d0a
        static let interface = 1
        /// Obsolete.
        static let packet = 2
        static let simplePacket = 3
        static let enhancedPacket = 6
    }

    private struct Interface {
        var link: Int
        var snapshotLength: Int
        var time = CaptureTime.microseconds
    }

    /// The most interfaces of a section: more are a damaged file.
    private static let maxInterfaces = 4096

    private var numbers = CaptureNumbers(isBigEndian: false)
    private var interfaces: [Interface] = []

    static func isMagic(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.elementsEqual([0x0a, 0x0d, 0x0d, 0x0a]) }

    /// Reads the first section's header, but for its type.
    init(_ input: CaptureInput) throws(CaptureEnd) {
        try beginSection(input)
    }

    mutating func next(_ input: CaptureInput) throws(CaptureEnd) -> CapturedFrame {
        while true {
            let type = try input.take(4, isBeginning: true, "a block")
            if Self.isMagic(type) {
                try beginSection(input)
            } else if let frame = try frame(numbers.long(type, at: 0), try block(input)) {
                return frame
            }
        }
    }

    /// The type is the same in either order of bytes; the order is stated behind the length.
    private mutating func beginSection(_ input: CaptureInput) throws(CaptureEnd) {
        let head = try input.take(8, "the header of a section")
        let magic: UInt64 = 0x1a2b_3c4d
        guard let order = [false, true].first(where: { CaptureNumbers(isBigEndian: $0).number(head, at: 4, 4) == magic }) else {
            throw .failed("the header of a section states no order of bytes")
        }
        numbers = CaptureNumbers(isBigEndian: order)
        interfaces = []
        let length = numbers.long(head, at: 0)
        guard length >= 28, length % 4 == 0 else { throw .failed("the header of a section states a length of \(length) bytes") }
        let rest = try input.take(length - 12, "the header of a section")
        guard numbers.short(rest, at: 0) == 1 else { throw .failed("a section is of version \(numbers.short(rest, at: 0))") }
    }

    /// A block's body.
    private func block(_ input: CaptureInput) throws(CaptureEnd) -> ArraySlice<UInt8> {
        let length = numbers.long(try input.take(4, "a block"), at: 0)
        guard length >= 12, length % 4 == 0 else { throw .failed("a block states a length of \(length) bytes: it is damaged") }
        let rest = try input.take(length - 8, "a block")
        guard numbers.long(rest.suffix(4), at: 0) == length else { throw .failed("the two lengths of a block differ: it is damaged") }
        return rest.dropLast(4)
    }

    /// The frame of a block; `nil` for a block without one.
    private mutating func frame(_ type: Int, _ body: ArraySlice<UInt8>) throws(CaptureEnd) -> CapturedFrame? {
        switch type {
        case Block.interface:
            guard body.count >= 8, interfaces.count < Self.maxInterfaces else { throw .failed("an interface's block is damaged") }
            interfaces.append(interface(body))
            return nil
        case Block.enhancedPacket:
            guard body.count >= 20 else { throw .failed("a packet's block is damaged") }
            return try frame(of: numbers.long(body, at: 0), body)
        case Block.packet:
            guard body.count >= 20 else { throw .failed("a packet's block is damaged") }
            return try frame(of: numbers.short(body, at: 0), body)
        case Block.simplePacket:
            guard body.count >= 4, let interface = interfaces.first else { throw .failed("a packet is of no interface") }
            let length = numbers.long(body, at: 0)
            let limit = interface.snapshotLength > 0 ? interface.snapshotLength : length
            let bytes = body.dropFirst(4).prefix(min(length, limit))
            return CapturedFrame(bytes: Array(bytes), link: interface.link, milliseconds: 0, isCut: bytes.count < length)
        default: return nil
        }
    }

    private func frame(of number: Int, _ body: ArraySlice<UInt8>) throws(CaptureEnd) -> CapturedFrame {
        guard interfaces.indices.contains(number) else { throw .failed("a packet is of interface \(number), which was not described") }
        let length = numbers.long(body, at: 12)
        guard length <= body.count - 20 else { throw .failed("a packet is longer than its block") }
        let units = numbers.number(body, at: 4, 4) << 32 | numbers.number(body, at: 8, 4)
        return CapturedFrame(
            bytes: Array(body.dropFirst(20).prefix(length)), link: interfaces[number].link,
            milliseconds: interfaces[number].time.milliseconds(units), isCut: numbers.long(body, at: 16) > length)
    }

    private func interface(_ body: ArraySlice<UInt8>) -> Interface {
        var interface = Interface(link: numbers.short(body, at: 0), snapshotLength: numbers.long(body, at: 4))
        let (end, resolution, offset) = (0, 9, 14)
        var options = body.dropFirst(8)
        var seconds: Int64 = 0
        while options.count >= 4 {
            let (code, length) = (numbers.short(options, at: 0), numbers.short(options, at: 2))
            let value = options.dropFirst(4).prefix(length)
            guard code != end, value.count == length else { break }
            if code == resolution, let exponent = value.first { interface.time = CaptureTime(resolution: exponent) }
            if code == offset, length == 8 { seconds = Int64(bitPattern: numbers.number(value, at: 0, 8)) }
            options = options.dropFirst(4 + (length + 3) / 4 * 4)
        }
        interface.time.offset = seconds
        return interface
    }
}
