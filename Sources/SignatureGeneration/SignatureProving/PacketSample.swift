// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import SignatureMaking
import Signatures

extension Sample {
    /// Whether a signature matches the attack: its code, or where nothing of that was seen as it is, a flow that carried it.
    ///
    /// Variants have code in common, so that each one's flow carries some of the others': what only another's flow holds is not of
    /// this sample.
    func isMatched(by signature: Signature) -> Bool {
        signature.matches(code.bytes) || (onWire ?? []).isEmpty && carriers.contains { signature.matches($0) }
    }

    /// The code and context of a packet. If only the caller window was sent, that is the code.
    public init(_ packet: ExtractedPacket) {
        let code: ExtractedCode
        var callersAddress = packet.callersAddress
        switch packet.content {
        case .code(let whole): code = whole
        case .signature(let window):
            let base = packet.callersAddress.subtractingReportingOverflow(UInt64(window.count))
            code = ExtractedCode(
                base: packet.signatureAddress ?? (base.overflow ? 0 : base.partialValue), bytes: window, isWholeRegion: false)
            // A window that the host chose elsewhere in the code holds no call: it is looked at from its end.
            if packet.signatureAddress != nil, (code.offset(of: callersAddress) ?? 0) == 0 {
                callersAddress = code.base + UInt64(window.count)
            }
        }
        self.init(
            code: code, callersAddress: callersAddress, architecture: packet.architecture,
            context: SignatureContext(packet.parameters.process),
            // Without evidence it is no host's word, but code that a person brings.
            isMaliciousCode: packet.evidence.isEmpty || packet.evidence.contains { $0.kind.isOfCode })
        timeMilliseconds = packet.parameters.timeMilliseconds
        let process = packet.parameters.process
        addresses = Set(process.listening.map(\.local.address) + process.connected.map(\.local.address))
    }
}
