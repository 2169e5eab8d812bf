// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SignatureMaking
import Signatures
import StreamReassembly
import WireMatching

/// What the captures show of a cluster's packets: which parts of the code crossed the network, in which flows.
struct WireEvidence: Sendable {
    /// The samples, with the parts of their code that were seen on the wire.
    private(set) var samples: [Sample]
    /// Why the captures show nothing; `nil` if they show something.
    private(set) var reasonForNone: String?
    /// The flows that carried any of the samples, by their order in the captures: one may carry several.
    private var carriers: [Int: [UInt8]] = [:]

    /// The most streams that are stored for one sample: a flood of repetitions shows no more than a few do.
    private static let maxCarriers = 8
    /// How many of a cluster's packets are looked for. The newest: the captures still hold the flows that carried them.
    private static let maxSamples = 16
    /// In bytes: the shortest part of the code that makes a flow its carrier.
    private static let minCarriedBytes = 24

    init(of samples: [Sample], captures: [String], streams: CaptureStreams) {
        self.samples = samples
        guard !captures.isEmpty else {
            reasonForNone = "no capture is at hand"
            return
        }
        var failures: [String] = []
        var flows = 0
        let matchers = samples.indices.suffix(Self.maxSamples).map { (index: $0, matcher: WireMatcher(of: samples[$0].code.bytes)) }
        for captureSet in captures {
            do {
                try streams.each(of: captureSet) { stream, _ in
                    flows += 1
                    for (index, matcher) in matchers { add(stream, number: flows, toSampleAt: index, matchedBy: matcher) }
                    return true
                }
            } catch {
                // Captures are written while they are read: one that can't be read is left out, and the others count.
                failures.append("\(error)")
            }
        }
        if !self.samples.contains(where: { !$0.carriers.isEmpty }) {
            reasonForNone =
                failures.first ?? "no flow of the captures carries any of the code: it came in another form, or before they begin"
        }
    }

    /// Adds a stream to the carriers of a sample if it carried enough of the code.
    private mutating func add(_ stream: CapturedStream, number: Int, toSampleAt index: Int, matchedBy matcher: WireMatcher) {
        guard samples[index].carriers.count < Self.maxCarriers, samples[index].context.admits(stream) else { return }
        let spans = matcher.spans(in: stream.bytes)
        guard spans.contains(where: { $0.code.count >= Self.minCarriedBytes }) else { return }
        samples[index].carriers.append(stream.bytes)
        carriers[number] = stream.bytes
        samples[index].onWire = (samples[index].onWire ?? []) + spans.map(\.code)
    }

    /// Whether a flow that carried the code contains a signature.
    func check(_ signature: Signature) -> Proof.Check {
        if let reasonForNone { return Proof.Check(.onTheWire, .notChecked, reasonForNone) }
        let found = carriers.values.count { signature.matches($0) }
        return Proof.Check(.onTheWire, passed: found > 0, "in \(found) of \(carriers.count) captured flows that carried the code")
    }
}
