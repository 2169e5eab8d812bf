// SPDX-License-Identifier: Apache-2.0

internal import Correlation
public import EpitopeModel
internal import SecureChannel
internal import Signatures

/// What a center refuses before it stores anything: a report that speaks for somebody else, or that nothing can be
/// made of. What passes here can be analysed.
public enum ReportCheck {
    /// - Throws: `identity-mismatch`, `caller-outside-code` or `signature-malformed`.
    public static func check(_ report: Report) throws(EpitopeError) {
        switch report.body {
        case .packet(let packet):
            guard report.sender.role == .host else { throw mismatch(report.sender, "may not send packets as a host") }
            try check(packet, host: report.sender.name)
        case .forward(let forward):
            guard report.sender.role == .localCenter else { throw mismatch(report.sender, "may not forward packets") }
            try check(forward.packet, host: forward.reporter)
            try check(forward.signature)
        case .update(let update):
            guard report.sender.role == .localCenter else { throw mismatch(report.sender, "may not send updates") }
            try check(update.signature)
        }
    }

    private static func check(_ packet: ExtractedPacket, host: String) throws(EpitopeError) {
        if let claimed = packet.parameters.system.hostID, claimed != host {
            throw EpitopeError(
                .identityMismatch, "packet \(packet.id) claims to come from host \(claimed), but was sent by \(host)",
                remedy: "enrol the host anew, and send its packets with its own certificate")
        }
        switch packet.content {
        case .code(let code):
            _ = try CallerWindow.extract(from: code, callersAddress: packet.callersAddress)
        case .signature(let bytes):
            guard (1...CallerWindow.length).contains(bytes.count) else {
                throw EpitopeError(
                    .signatureMalformed,
                    "packet \(packet.id) carries a caller window of \(bytes.count) bytes; it has 1 to \(CallerWindow.length)",
                    remedy: "send the bytes that end at the caller's address, or the code")
            }
        }
    }

    private static func check(_ signature: Signature) throws(EpitopeError) {
        guard SignatureCheck.isWellFormed(signature) else {
            throw EpitopeError(
                .signatureMalformed, "a signature breaks the bounds on tokens, gaps or context",
                remedy: "bring the sending center to the version of this one")
        }
    }

    private static func mismatch(_ sender: Identity, _ what: String) -> EpitopeError {
        EpitopeError(
            .identityMismatch, "\(sender.name) is enrolled as \(sender.role.rawValue), and \(what)",
            remedy: "enrol it in the role that it speaks in")
    }
}
