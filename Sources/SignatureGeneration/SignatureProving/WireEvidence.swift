// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SignatureMaking
import Signatures
import StreamReassembly
import TokenSequences
import WireMatching

/// What the captures show of a cluster's packets: which parts of the code crossed the network, in which flows.
struct WireEvidence: Sendable {
    /// The samples, with the parts of their code that were seen on the wire.
    private(set) var samples: [Sample]
    /// Why the captures show nothing; `nil` if they show something.
    private(set) var reasonForNone: String?
    /// The streams that carried any of the samples, by their file and number: one may carry several, and come in several parts.
    private var carriers: [String: [CapturedStream]] = [:]
    /// How much of the captures was read.
    private var reading = CaptureReading()
    /// The captures that were not read, or not to their end: the first few, with the reason.
    var unreadCaptures: [String] { reading.unread }

    /// A stream that carried a part of a sample's code.
    private struct Carrier {
        var stream: CapturedStream
        /// Of the flow: its file and number.
        var key: String
        var spans: [Range<Int>]

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
        reading = streams.each(of: captures, within: limits) { stream, file in
            for (index, matcher) in matchers where samples[index].context.admits(stream) {
                Self.add(stream, of: file, matchedBy: matcher, to: &found[index, default: []])
            }
            return true
        }
        for (index, _) in matchers { add(found[index] ?? [], toSampleAt: index) }
        if !self.samples.contains(where: { !$0.carriers.isEmpty }) {
            let none = "no flow of the captures carries any of the code: it came in another form, or before they begin"
            reasonForNone = none + reading.text
        }
    }

    /// Adds a stream to the carriers of a sample if it carried enough of the code.
    private static func add(_ stream: CapturedStream, of file: String, matchedBy matcher: WireMatcher, to found: inout [Carrier]) {
        let spans = matcher.spans(in: stream.bytes).map(\.code)
        guard spans.contains(where: { $0.count >= minCarriedBytes }) else { return }
        let carrier = Carrier(stream: stream, key: "\(file) \(stream.number)", spans: spans)
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
            samples[index].carriers.append(carrier.stream.bytes)
            samples[index].onWire = (samples[index].onWire ?? []) + carrier.spans
            if carriers[carrier.key]?.contains(where: { $0.bytes == carrier.stream.bytes }) != true {
                carriers[carrier.key, default: []].append(carrier.stream)
            }
        }
    }

    /// Whether a flow that carried the code contains a signature, so that an engine sees it.
    func check(_ signature: Signature) -> Proof.Check {
        if let reasonForNone { return Proof.Check(.onTheWire, .notChecked, reasonForNone) }
        let found = carriers.values.count { parts in
            parts.contains { signature.matchesWithinEngineReach($0.bytes, isDatagram: $0.transport == .udp, offset: $0.offset) }
        }
        let missed = found > 0 ? 0 : carriers.values.count { parts in parts.contains { signature.matches($0.bytes) } }
        return Proof.Check(
            .onTheWire, passed: found > 0,
            "in \(found) of \(carriers.count) captured flows that carried the code"
                + (missed > 0 ? "; in \(missed) with tokens further apart than an engine sees at once there" : "") + reading.text)
    }
}
