// SPDX-License-Identifier: Apache-2.0

/// The records of a pcap file (draft-ietf-opsawg-pcap), with times in microseconds or nanoseconds, of either order of bytes.
struct PcapFormat {
    private static let microseconds: UInt64 = 0xa1b2_c3d4
    private static let nanoseconds: UInt64 = 0xa1b2_3c4d
    /// A variant of long ago (Alexey Kuznetzov's), whose records have 8 bytes more.
    private static let modified: UInt64 = 0xa1b2_cd34

    private let numbers: CaptureNumbers
    private let time: CaptureTime
    private let recordHeader: Int
    let link: Int

    private static let orders = [CaptureNumbers(isBigEndian: false), CaptureNumbers(isBigEndian: true)]

    /// The order of bytes of a file that begins so; `nil` for another format.
    private static func order(_ magic: ArraySlice<UInt8>) -> CaptureNumbers? {
        orders.first { [microseconds, nanoseconds, modified].contains($0.number(magic, at: 0, 4)) }
    }

    static func isMagic(_ bytes: ArraySlice<UInt8>) -> Bool { order(bytes) != nil }

    /// Reads the rest of the file's header.
    ///
    /// - Returns: `nil` for another format.
    init?(magic: ArraySlice<UInt8>, _ input: CaptureInput) throws(CaptureEnd) {
        guard let order = Self.order(magic) else { return nil }
        let kind = order.number(magic, at: 0, 4)
        numbers = order
        time = kind == Self.nanoseconds ? .nanoseconds : .microseconds
        recordHeader = kind == Self.modified ? 24 : 16
        // The upper bits state a frame check sequence.
        link = order.long(try input.take(20, "its header"), at: 16) & 0xffff
    }

    func next(_ input: CaptureInput) throws(CaptureEnd) -> CapturedFrame {
        let header = try input.take(recordHeader, isBeginning: true, "the header of a frame")
        let length = numbers.long(header, at: 8)
        let isCut = numbers.long(header, at: 12) > length
        let fraction = numbers.number(header, at: 4, 4)
        let seconds = numbers.number(header, at: 0, 4)
        let bytes = try input.take(length, "a frame")
        return CapturedFrame(bytes: Array(bytes), link: link, milliseconds: time.milliseconds(seconds, fraction), isCut: isCut)
    }
}

extension CaptureTime {
    /// - Parameter fraction: may be a second and more, where a file is damaged.
    fileprivate func milliseconds(_ seconds: UInt64, _ fraction: UInt64) -> Int64 {
        milliseconds(0) + Int64(seconds) * 1000 + min(milliseconds(fraction), 999)
    }
}
