// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import StreamReassembly

/// A frame as a capture file has it.
struct CapturedFrame {
    var bytes: [UInt8]
    /// The number of its link type.
    var link: Int
    var milliseconds: Int64
    /// Whether the file holds only the beginning of it.
    var isCut: Bool
}

/// The frames of a capture file of either format, told by its first four bytes.
struct CaptureFrames {
    private enum Format {
        case pcap(PcapFormat)
        case pcapng(PcapngFormat)
    }

    private let input: CaptureInput
    private var format: Format

    /// - Parameter reads: does what may hang; `nil`: it is waited for.
    /// - Throws: `capture-unreadable`. A file that ends before its first frame is none that can't be read: ``next()`` says so.
    init(path: String, reads: BoundedReads? = nil) throws(EpitopeError) {
        do throws(FileError) {
            input = try CaptureInput(path: path, reads: reads)
        } catch {
            throw Self.unreadable(path, "\(error)")
        }
        do throws(CaptureEnd) {
            let magic = try input.take(4, isBeginning: true, "its header")
            if PcapngFormat.isMagic(magic) {
                format = .pcapng(try PcapngFormat(input))
            } else if let pcap = try PcapFormat(magic: magic, input) {
                guard LinkType(rawValue: Int32(pcap.link)) != nil else {
                    throw CaptureEnd.failed("its frames are of link type \(pcap.link), which is not supported")
                }
                format = .pcap(pcap)
            } else {
                throw CaptureEnd.failed("it is neither pcap nor pcapng")
            }
        } catch {
            switch error {
            case .failed(let reason): throw Self.unreadable(path, reason)
            case .whole: throw EpitopeError(.captureEmpty, "the capture '\(path)' is empty", remedy: "wait until packets are written to it")
            case .cut(let reason):
                throw EpitopeError(
                    .captureEmpty, "the capture '\(path)' holds no frame yet: \(reason)", remedy: "wait until packets are written to it")
            }
        }
    }

    /// Whether a file can be read, and begins as no capture does.
    static func isOther(_ path: String, reads: BoundedReads?) -> Bool {
        guard let input = try? CaptureInput(path: path, reads: reads), let magic = try? input.take(4, "its header") else { return false }
        return !PcapngFormat.isMagic(magic) && !PcapFormat.isMagic(magic)
    }

    private static func unreadable(_ path: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .captureUnreadable, "the capture '\(path)' can't be read: \(reason)",
            remedy: "name a pcap or pcapng file of an Ethernet, loopback, raw IP or 'any' interface")
    }

    mutating func next() throws(CaptureEnd) -> CapturedFrame {
        switch format {
        case .pcap(let pcap): return try pcap.next(input)
        case .pcapng(var pcapng):
            defer { format = .pcapng(pcapng) }
            return try pcapng.next(input)
        }
    }
}
