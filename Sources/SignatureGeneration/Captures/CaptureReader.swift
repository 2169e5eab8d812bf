// SPDX-License-Identifier: Apache-2.0

import CPcap
import EpitopeModel
import Glibc
public import StreamReassembly

/// Reads the streams of captures (pcap, pcapng) with libpcap.
public enum CaptureReader {
    /// How much of a capture was read.
    public struct Summary: Hashable, Sendable {
        public var frames = 0
        /// Frames without a part of a stream.
        public var skippedFrames = 0
        /// Why reading ended before the end of the file, in libpcap's words: the file ends in the middle of a frame, as it
        /// does while it is being written, or has a part that libpcap can't read. `nil` if all was read.
        public var failure: String?
        /// Streams of which only the beginning was kept (``StreamReassembly/ReassemblyBounds/stream``), and how many bytes
        /// of them were left out.
        public var cutStreams = 0
        public var cutBytes = 0

        /// Whether the file ended before all of it was read.
        public var isCutShort: Bool { failure != nil }
    }

    /// Reads one file from beginning to end.
    ///
    /// - Parameter body: called with each stream when its flow or the file ends; returns whether to continue.
    /// - Throws: `capture-unreadable`, and errors of `body`.
    @discardableResult
    public static func streams(
        in path: String, bounds: ReassemblyBounds = .init(), _ body: (CapturedStream) throws -> Bool
    ) throws -> Summary {
        let file = try OpenCapture(path: path)
        var reassembly = StreamReassembly(bounds: bounds)
        var summary = Summary()
        while let frame = file.next() {
            summary.frames += 1
            for stream in reassembly.add(frame.bytes, link: file.link, milliseconds: frame.milliseconds) {
                summary.add(stream)
                guard try body(stream) else { return summary }
            }
        }
        summary.failure = file.failure
        summary.skippedFrames = reassembly.skippedFrames
        for stream in reassembly.finish() {
            summary.add(stream)
            guard try body(stream) else { return summary }
        }
        return summary
    }
}

extension CaptureReader.Summary {
    fileprivate mutating func add(_ stream: CapturedStream) {
        guard stream.cutBytes > 0 else { return }
        cutStreams += 1
        cutBytes += stream.cutBytes
    }
}

/// A capture that is open in libpcap.
private final class OpenCapture {
    struct Frame {
        var bytes: [UInt8]
        var milliseconds: Int64
    }

    let link: LinkType
    /// Why reading ended before the file did, in libpcap's words.
    private(set) var failure: String?
    private let handle: OpaquePointer

    init(path: String) throws(EpitopeError) {
        var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        guard let handle = pcap_open_offline(path, &message) else {
            let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw EpitopeError(
                .captureUnreadable, "the capture '\(path)' can't be read: \(reason)",
                remedy: "name a file that tcpdump -r reads (pcap or pcapng)")
        }
        guard let link = LinkType(rawValue: pcap_datalink(handle)) else {
            let type = pcap_datalink(handle)
            pcap_close(handle)
            throw EpitopeError(
                .captureUnreadable, "the capture '\(path)' has frames of link type \(type), which is not supported",
                remedy: "capture on an Ethernet, loopback, raw IP or 'any' interface")
        }
        self.handle = handle
        self.link = link
    }

    deinit {
        pcap_close(handle)
    }

    /// The next frame; `nil` at the end, or if the file is truncated or damaged.
    func next() -> Frame? {
        var header: UnsafeMutablePointer<pcap_pkthdr>?
        var data: UnsafePointer<UInt8>?
        let result = pcap_next_ex(handle, &header, &data)
        guard result == 1, let header, let data else {
            // PCAP_ERROR_BREAK is the end of the file, PCAP_ERROR an incomplete frame.
            if result == PCAP_ERROR { failure = pcap_geterr(handle).map { String(cString: $0) } ?? "an unreadable frame" }
            return nil
        }
        return Frame(
            bytes: Array(UnsafeBufferPointer(start: data, count: Int(header.pointee.caplen))),
            milliseconds: Self.milliseconds(header.pointee.ts))
    }

    /// A capture may contain any time: it is clamped to the years 0 to 9999, which four digits can write.
    private static func milliseconds(_ time: timeval) -> Int64 {
        let seconds = min(max(Int64(time.tv_sec), -62_167_219_200), 253_402_300_799)
        return seconds * 1000 + min(max(Int64(time.tv_usec) / 1000, 0), 999)
    }
}
