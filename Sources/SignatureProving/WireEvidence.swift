internal import Captures
internal import EpitopeModel
internal import SignatureMaking
internal import Signatures
internal import StreamReassembly
internal import WireProof

/// What the captures show of a cluster's packets: which parts of the code crossed the network, in which flows.
struct WireEvidence: Sendable {
    /// The samples, with what was seen of each on the wire.
    private(set) var samples: [Sample]
    /// Why nothing can be said of the wire; `nil`: something can.
    private(set) var silence: String?

    /// The most streams that are kept of one sample: a flood of repetitions shows no more than a few do.
    private static let mostCarriers = 8
    /// In bytes: the shortest part of the code that makes a flow its carrier.
    private static let shortestCarried = 24

    init(of samples: [Sample], captures: [String]) {
        self.samples = samples
        guard !captures.isEmpty else {
            silence = "no capture is at hand"
            return
        }
        var failures: [String] = []
        for ring in captures {
            do {
                for file in try CaptureReader.files(of: ring) {
                    try CaptureReader.streams(in: file) { stream in
                        take(stream)
                        return true
                    }
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

    private mutating func take(_ stream: CapturedStream) {
        for index in samples.indices
        where samples[index].carriers.count < Self.mostCarriers && samples[index].context.admits(stream) {
            let spans = WireProof.spans(of: samples[index].code.bytes, in: stream.bytes)
            guard spans.contains(where: { $0.code.count >= Self.shortestCarried }) else { continue }
            samples[index].carriers.append(stream.bytes)
            samples[index].onWire = (samples[index].onWire ?? []) + spans.map(\.code)
        }
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

extension SignatureContext {
    /// Whether a stream went the way that the evidence speaks of.
    fileprivate func admits(_ stream: CapturedStream) -> Bool {
        guard transport == nil || transport == stream.transport else { return false }
        switch direction {
        case .toService: return stream.direction == .toServer && (ports.isEmpty || ports.contains(stream.server.port))
        case .fromPeer: return ports.isEmpty || ports.contains(stream.server.port) || ports.contains(stream.client.port)
        case .any: return true
        }
    }
}
