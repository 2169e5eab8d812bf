// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import ProtocolBuffers
import SignatureMaking
import Signatures
import StreamReassembly
import TokenSequences
import WireMatching

/// What the captures show of a cluster's packets: which parts of the code crossed the network, in which flows, and whether as they
/// are or in what an engine makes of a protocol's messages.
struct WireEvidence: Sendable {
    /// The samples, with the parts of their code that were seen on the wire.
    private(set) var samples: [Sample]
    /// Why the captures show nothing; `nil` if they show something.
    private(set) var reasonForNone: String?
    /// Whether the code did not cross the network, though it would be in the captures.
    private(set) var isRefuted = false
    /// The streams that carried any of the samples, by their file and number: one may carry several, and come in several parts.
    private var flows: [String: Flow] = [:]
    /// How much of the captures was read.
    private var reading = CaptureReading()
    /// The captures that were not read, or not to their end: the first few, with the reason.
    var unreadCaptures: [String] { reading.unread }

    /// A flow that carried a part of the code of any sample.
    fileprivate struct Flow {
        var place: CapturedFlow
        /// Those that have it as it is.
        var parts: [CapturedStream] = []
        /// The buffers in which it is in a row that the stream has in pieces, or packed.
        var buffers: [BufferedBytes] = []
    }

    /// A stream that carried a part of a sample's code.
    private struct Carrier {
        var stream: CapturedStream
        var file: String
        /// The buffer that has it; `nil` for the stream as it is.
        var buffer: BufferedBytes?
        var spans: [Range<Int>]

        /// Of the flow: its file and number.
        var key: String { "\(file) \(stream.number)" }
        var bytes: [UInt8] { buffer?.bytes ?? stream.bytes }
        /// In bytes: how much of the code it carried.
        var carriedBytes: Int { spans.reduce(0) { $0 + $1.count } }
    }

    /// The most streams that are stored for one sample, those that carried most of the code: a flood of repetitions shows no more
    /// than a few do, and one of flows that each carry a little of it must not keep out the attack.
    private static let maxCarriers = 8
    /// How many of a cluster's packets are looked for. The newest: the captures still hold the flows that carried them.
    private static let maxSamples = 16
    /// In bytes: the shortest part of the code that makes a flow its carrier.
    private static let minCarriedBytes = 24

    init(of samples: [Sample], captures: [String], streams: CaptureStreams, within limits: CaptureStreams.Limits) {
        self.samples = samples
        guard !captures.isEmpty else {
            reasonForNone = "no capture is at hand"
            return
        }
        let matchers = samples.indices.suffix(Self.maxSamples).map { (index: $0, matcher: WireMatcher(of: samples[$0].code.bytes)) }
        var found: [Int: [Carrier]] = [:]
        var coverage = CaptureCoverage(samples)
        reading = streams.each(of: captures, within: limits) { stream, file in
            let admitted = matchers.filter { samples[$0.index].context.admits(stream) }
            coverage.add(stream, admittedBy: admitted.map(\.index))
            for (index, matcher) in admitted {
                Self.add(stream, nil, of: file, matchedBy: matcher, to: &found[index, default: []])
            }
            guard !admitted.isEmpty else { return true }
            stream.eachBuffer { buffered in
                // What the stream has in a row is seen there.
                for (index, matcher) in admitted where buffered.isTransformed {
                    Self.add(stream, buffered, of: file, matchedBy: matcher, to: &found[index, default: []])
                }
                return true
            }
            return true
        }
        for (index, _) in matchers { add(found[index] ?? [], toSampleAt: index) }
        if !self.samples.contains(where: { !$0.carriers.isEmpty }) {
            isRefuted = reading.isWithoutLoss && coverage.isWhole(for: matchers.map(\.index))
            let none =
                isRefuted
                ? "the captures hold the traffic to the attacked service when the report says it was attacked, and none of the code"
                : "no flow of the captures carries any of the code: it came in another form, or before they begin"
            reasonForNone = none + reading.text
        }
    }

    /// Adds a stream to the carriers of a sample if it carried enough of the code.
    ///
    /// - Parameter buffer: what an engine has of it; `nil` for the stream as it is.
    private static func add(
        _ stream: CapturedStream, _ buffer: BufferedBytes?, of file: String, matchedBy matcher: WireMatcher, to found: inout [Carrier]
    ) {
        let spans = matcher.spans(in: buffer?.bytes ?? stream.bytes).map(\.code)
        guard spans.contains(where: { $0.count >= minCarriedBytes }) else { return }
        let carrier = Carrier(stream: stream, file: file, buffer: buffer, spans: spans)
        guard found.count >= maxCarriers else { return found.append(carrier) }
        // Of those that carried as much, the first stay.
        guard let least = found.indices.reversed().min(by: { found[$0].carriedBytes < found[$1].carriedBytes }),
            found[least].carriedBytes < carrier.carriedBytes
        else { return }
        found.remove(at: least)
        found.append(carrier)
    }

    private mutating func add(_ found: [Carrier], toSampleAt index: Int) {
        for carrier in found {
            samples[index].carriers.append(carrier.bytes)
            samples[index].onWire = (samples[index].onWire ?? []) + carrier.spans
            let stream = carrier.stream
            var flow =
                flows[carrier.key]
                ?? Flow(
                    place: CapturedFlow(
                        file: carrier.file, transport: stream.transport, client: stream.client, server: stream.server,
                        lastMilliseconds: stream.lastMilliseconds))
            flow.place.lastMilliseconds = max(flow.place.lastMilliseconds, stream.lastMilliseconds)
            if let buffer = carrier.buffer {
                if !flow.buffers.contains(buffer) { flow.buffers.append(buffer) }
            } else if !flow.parts.contains(where: { $0.bytes == stream.bytes }) {
                flow.parts.append(stream)
            }
            flows[carrier.key] = flow
        }
    }
}

extension WireEvidence {
    /// Where an engine sees a signature, of the flows that carried the code.
    struct Findings {
        var check: Proof.Check
        /// `nil` for the stream or datagram as it is. Empty if it was not found.
        var places: Set<ProtocolBuffer?> = []
        /// The flows that hold it there.
        var flows: [CapturedFlow] = []
    }

    /// Whether a flow that carried the code contains a signature, so that an engine sees it: as it is, or else in a buffer that
    /// the signature's rule can name.
    func find(_ signature: Signature) -> Findings {
        if let reasonForNone {
            return Findings(check: Proof.Check(.onTheWire, isRefuted ? .failed : .notChecked, reasonForNone))
        }
        var findings = Findings(check: Proof.Check(.onTheWire, .failed, ""))
        var missed = 0
        var buffered: [ProtocolBuffer: Int] = [:]
        for flow in flows.sorted(by: { $0.key < $1.key }).map(\.value) {
            if flow.parts.contains(where: {
                signature.matchesWithinEngineReach($0.bytes, isDatagram: $0.transport == .udp, offset: $0.offset)
            }) {
                findings.places.insert(nil)
            } else if let buffer = flow.buffer(of: signature) {
                findings.places.insert(buffer)
                buffered[buffer, default: 0] += 1
            } else {
                let bytes = flow.parts.map(\.bytes) + flow.buffers.map(\.bytes)
                if bytes.contains(where: signature.matches) { missed += 1 }
                continue
            }
            findings.flows.append(flow.place)
        }
        let found = findings.flows.count
        var detail = "in \(found) of \(flows.count) captured flows that carried the code"
        for (buffer, count) in buffered.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            detail += "; in \(count) only in the engine's buffer \(buffer.rawValue), since it came in pieces, packed or encoded"
        }
        if found == 0, missed > 0 { detail += "; in \(missed) with tokens further apart than an engine sees at once there" }
        findings.check = Proof.Check(.onTheWire, passed: found > 0, detail + reading.text)
        return findings
    }
}

extension WireEvidence.Flow {
    /// The buffer in which an engine sees a signature. One that needs no further decoding goes first.
    fileprivate func buffer(of signature: Signature) -> ProtocolBuffer? {
        let found = buffers.filter { buffered in
            buffered.decides(on: signature)
                && signature.matchesWithinEngineReach(buffered.bytes, isDatagram: buffered.buffer == .dnsQuery)
        }
        return ProtocolBuffer.allCases.first { buffer in buffer != .httpFormBody && found.contains { $0.buffer == buffer } }
            ?? found.first?.buffer
    }
}
