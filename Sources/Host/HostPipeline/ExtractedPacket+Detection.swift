// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

extension ExtractedPacket {
    /// Makes the packet of a detection.
    ///
    /// - Parameters:
    ///   - process: the detection's process, with the facts that take longer to collect.
    ///   - windowBytes: the size of the caller window that the packet carries instead of the code; `nil`: it carries the code.
    ///   - window: what it carries in that window's place, a part of the code; `nil`: the caller window.
    /// - Throws: `caller-outside-code`, `packet-too-large`: code that every center would refuse.
    init(
        _ detection: Detection, process: ProcessParameters, system: SystemParameters, asSignatureOf windowBytes: Int? = nil,
        window: ArraySlice<UInt8>? = nil
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
        if let windowBytes {
            let caller = try CallerWindow.extract(from: detection.code, callersAddress: detection.callersAddress, length: windowBytes)
            content = .signature(window.map(Array.init) ?? caller)
        }
        self.init(
            id: Self.randomID(), architecture: detection.architecture, callersAddress: detection.callersAddress,
            content: content,
            evidence: detection.evidence, action: detection.action, applications: detection.applications,
            parameters: Parameters(
                call: detection.call, arguments: detection.arguments, region: detection.region, process: process, system: system,
                timeMilliseconds: detection.timeMilliseconds),
            signatureAddress: windowBytes == nil ? nil : window.map { detection.code.base + UInt64($0.startIndex) })
    }

    /// 128 random bits from the system's generator.
    private static func randomID() -> String {
        var generator = SystemRandomNumberGenerator()
        return Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
}
