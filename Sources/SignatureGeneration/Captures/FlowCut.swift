// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import StreamReassembly

/// A flow of a capture file, to be found there again.
public struct CapturedFlow: Hashable, Sendable {
    public var file: String
    public var transport: TransportProtocol
    public var client: SocketEndpoint
    public var server: SocketEndpoint
    /// In milliseconds since 1970-01-01T00:00:00Z: no packet of interest came later.
    public var lastMilliseconds: Int64

    public init(file: String, transport: TransportProtocol, client: SocketEndpoint, server: SocketEndpoint, lastMilliseconds: Int64) {
        self.file = file
        self.transport = transport
        self.client = client
        self.server = server
        self.lastMilliseconds = lastMilliseconds
    }
}

/// Cuts captures down to some of their flows.
public enum FlowCut {
    /// In bytes: more than this of frames is no cut.
    public static let maxBytes = 16 << 20
    /// In milliseconds: so much later than a flow's last packet nothing of it is sought. Captures are not quite in order, and a
    /// connection is closed after its last data.
    private static let slack: Int64 = 120_000
    private static let framesBetweenLooks = 256
    private static let reads = BoundedReads()

    /// What was cut out.
    public struct Cut: Hashable, Sendable {
        /// A pcap file.
        public var capture: [UInt8]
        public var frames: Int
    }

    /// Why there is no cut.
    public struct Failure: Error, Hashable {
        /// For people.
        public var reason: String
    }

    /// The frames of flows, in their order.
    ///
    /// - Parameter flows: of the same file those that one capture shows; at least one.
    /// - Throws: ``Failure`` for a file that can't be read (any more), flows whose beginning isn't captured, and where there was
    ///   no time, or more than ``maxBytes``.
    public static func cut(_ flows: [CapturedFlow], deadline: ContinuousClock.Instant) throws(Failure) -> Cut {
        var writer = PcapWriter()
        for (file, flows) in Dictionary(grouping: flows, by: \.file).sorted(by: { $0.key < $1.key }) {
            try add(flows, of: file, to: &writer, deadline: deadline)
        }
        return Cut(capture: writer.bytes, frames: writer.frames)
    }

    private static func add(
        _ flows: [CapturedFlow], of file: String, to writer: inout PcapWriter, deadline: ContinuousClock.Instant
    ) throws(Failure) {
        var selection = FlowFrames(flows.map { ($0.transport, $0.client, $0.server) })
        let last = (flows.map(\.lastMilliseconds).max() ?? 0) + slack
        var frames: CaptureFrames
        do throws(EpitopeError) { frames = try CaptureFrames(path: file, reads: reads) } catch { throw Failure(reason: error.message) }
        var count = 0
        while let frame = try? frames.next(), frame.milliseconds <= last {
            count += 1
            if count % framesBetweenLooks == 0, ContinuousClock.now >= deadline {
                throw Failure(reason: "there was no time to read \(file) up to the flow's end")
            }
            guard let link = LinkType(rawValue: Int32(frame.link)), selection.holds(frame.bytes, link: link, isCut: frame.isCut) else {
                continue
            }
            guard writer.add(frame) else { throw Failure(reason: "the flows in \(file) came over interfaces of different kinds") }
            guard writer.bytes.count <= maxBytes else {
                throw Failure(reason: "the flows in \(file) have more than \(maxBytes >> 20) MiB")
            }
        }
        guard selection.areOpened else { throw Failure(reason: "\(file) holds the flow no more, or not its beginning") }
    }
}

/// A pcap file in memory.
private struct PcapWriter {
    private(set) var bytes: [UInt8] = []
    private(set) var frames = 0
    private var link: Int?

    /// - Returns: whether it was added: a file has frames of one link type.
    mutating func add(_ frame: CapturedFrame) -> Bool {
        guard link == nil || link == frame.link else { return false }
        if link == nil {
            link = frame.link
            for value in [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, CaptureInput.maxLength, frame.link] { append(value) }
        }
        let milliseconds = max(0, frame.milliseconds)
        let length = frame.bytes.count
        for value in [Int(milliseconds / 1000), Int(milliseconds % 1000) * 1000, length, frame.isCut ? length + 1 : length] {
            append(value)
        }
        bytes += frame.bytes
        frames += 1
        return true
    }

    private mutating func append(_ value: Int) {
        for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}
