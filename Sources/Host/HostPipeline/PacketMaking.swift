// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

extension ExtractedPacket {
    /// Makes the packet of a stalled call.
    ///
    /// - Parameters:
    ///   - process: the call's process with the slower facts added.
    ///   - asSignature: whether the packet carries only the caller window instead of the code.
    /// - Throws: `caller-outside-code`, `packet-too-large`: code that no center would take.
    init(
        _ call: Detection, process: ProcessParameters, system: SystemParameters, asSignature: Bool
    ) throws(EpitopeError) {
        guard call.code.bytes.count <= ExtractedPacket.maxCodeBytes else {
            throw EpitopeError(
                EpitopeError.Code("packet-too-large"),
                "the code has \(call.code.bytes.count) bytes, a packet carries at most \(ExtractedPacket.maxCodeBytes)",
                remedy: "extract a snippet around the caller's address")
        }
        // Cut in either case: code without a caller window is refused here, not at the center.
        let window = try CallerWindow.extract(from: call.code, callersAddress: call.callersAddress)
        self.init(
            id: Self.randomID(), architecture: call.architecture, callersAddress: call.callersAddress,
            content: asSignature ? .signature(window) : .code(call.code), evidence: call.evidence, action: call.action,
            parameters: Parameters(
                call: call.call, arguments: call.arguments, region: call.region, process: process, system: system,
                timeMilliseconds: call.timeMilliseconds))
    }

    /// 128 random bits from the system's generator.
    private static func randomID() -> String {
        var generator = SystemRandomNumberGenerator()
        return Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
}
