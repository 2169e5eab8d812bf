internal import Captures
internal import EpitopeModel
internal import Signatures
internal import StreamReassembly

extension SignatureProver {
    /// Whether a flow that is held benign matches: one such flow is enough against a signature.
    func noBenignFlow(_ signature: Signature) -> Proof.Check {
        let name = CheckName.noBenignFlow
        guard !material.benignCaptures.isEmpty else {
            return Proof.Check(name: name, outcome: .notChecked, detail: "no capture of benign traffic is at hand")
        }
        var streams = 0
        var hit: String?
        do {
            for file in try material.benignCaptures.flatMap({ try CaptureReader.files(of: $0) }) where hit == nil {
                try CaptureReader.streams(in: file) { stream in
                    streams += 1
                    guard signature.matches(stream.bytes) else { return true }
                    hit = "a benign flow to port \(stream.server.port) in \(file) matches"
                    return false
                }
            }
        } catch {
            return Proof.Check(name: name, outcome: .failed, detail: "the benign traffic can't be read: \(error)")
        }
        return Proof.Check(name: name, passed: hit == nil, detail: hit ?? "none of \(streams) benign flows matches")
    }
}
