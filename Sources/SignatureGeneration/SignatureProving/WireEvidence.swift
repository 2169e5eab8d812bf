// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel
internal import SignatureMaking
internal import Signatures
internal import StreamReassembly
internal import WireMatching

/// What the captures show of a cluster's packets: which parts of the code crossed the network, in which flows.
struct WireEvidence: Sendable {
    /// The samples, with what was seen of each on the wire.
    private(set) var samples: [Sample]
    /// Why nothing can be said of the wire; `nil`: something can.
    private(set) var silence: String?

    /// The most streams that are kept of one sample: a flood of repetitions shows no more than a few do.
    private static let mostCarriers = 8
    /// Of a cluster's packets so many are looked for, the newest: what carried them is captured still.
    private static let mostSamples = 16
    /// In bytes: the shortest part of the code that makes a flow its carrier.
    private static let shortestCarried = 24

    init(of samples: [Sample], captures: [String], streams: CaptureStreams) {
        self.samples = samples
        guard !captures.isEmpty else {
            silence = "no capture is at hand"
            return
        }
        var failures: [String] = []
        let sought = samples.indices.suffix(Self.mostSamples).map { (index: $0, proof: WireMatcher(of: samples[$0].code.bytes)) }
        for ring in captures {
            do {
                try streams.each(of: ring) { stream, _ in
                    for (index, proof) in sought { take(stream, index, proof) }
                    return true
                }
            } catch {
                // A ring is written while it is read: what can't be read says nothing, and the rest may.
                failures.append("\(error)")
            }
        }
        if !self.samples.contains(where: { !$0.carriers.isEmpty }) {
            silence = failures.first ?? "no flow of the captures carries any of the code: it came in another form, or before they begin"
        }
    }

    private mutating func take(_ stream: CapturedStream, _ index: Int, _ proof: WireMatcher) {
        guard samples[index].carriers.count < Self.mostCarriers, samples[index].context.admits(stream) else { return }
        let spans = proof.spans(in: stream.bytes)
        guard spans.contains(where: { $0.code.count >= Self.shortestCarried }) else { return }
        samples[index].carriers.append(stream.bytes)
        samples[index].onWire = (samples[index].onWire ?? []) + spans.map(\.code)
    }

    /// Whether a signature is found in a flow that carried the code.
    func check(_ signature: Signature) -> Proof.Check {
        if let silence { return Proof.Check(name: CheckName.onTheWire, outcome: .notChecked, detail: silence) }
        let carriers = samples.flatMap(\.carriers)
        let found = carriers.count { signature.matches($0) }
        return Proof.Check(
            name: CheckName.onTheWire, passed: found > 0, detail: "in \(found) of \(carriers.count) captured flows that carried the code")
    }
}
