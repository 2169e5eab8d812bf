// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

extension ExtractedPacket {
    /// Makes the packet of a detection.
    ///
    /// - Parameters:
    ///   - process: the detection's process, with the facts that take longer to collect.
    ///   - form: what it carries of the code.
    /// - Throws: `caller-outside-code`, `packet-too-large`: code that every center would refuse.
    init(
        _ detection: Detection, process: ProcessParameters, system: SystemParameters, form: PacketForm = PacketForm()
    ) throws(EpitopeError) {
        guard detection.code.bytes.count <= ExtractedPacket.maxCodeBytes else {
            throw EpitopeError(
                .packetTooLarge,
                "the code has \(detection.code.bytes.count) bytes, a packet carries at most \(ExtractedPacket.maxCodeBytes)",
                remedy: "extract only the code around the caller's address")
        }
        // Checked in either case: code without a caller window is refused here, not at the center.
        try CallerWindow.callerOffset(in: detection.code, callersAddress: detection.callersAddress)
        var content = Content.code(detection.code)
        if let bytes = form.signatureBytes {
            let caller = try CallerWindow.extract(from: detection.code, callersAddress: detection.callersAddress, length: bytes)
            content = .signature(form.window.map(Array.init) ?? caller)
        }
        self.init(
            id: Self.randomID(), architecture: detection.architecture, callersAddress: detection.callersAddress,
            content: content,
            evidence: detection.evidence, action: detection.action, applications: detection.applications,
            parameters: Parameters(
                call: detection.call, arguments: detection.arguments, region: detection.region, process: process, system: system,
                timeMilliseconds: detection.timeMilliseconds),
            signatureAddress: form.window.map { detection.code.base + UInt64($0.startIndex) }, extraction: form.extraction)
    }

    /// 128 random bits from the system's generator.
    private static func randomID() -> String {
        var generator = SystemRandomNumberGenerator()
        return Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
}
