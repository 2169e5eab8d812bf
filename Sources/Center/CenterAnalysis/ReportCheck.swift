// SPDX-License-Identifier: Apache-2.0

public import CenterStore
public import EpitopeModel
internal import SecureChannel
internal import Signatures

/// Refuses a report before it is stored when it claims another's identity, or when it can't be analysed.
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
                remedy: "enrol the host again, and send its packets with its own certificate")
        }
        switch packet.content {
        case .code(let code):
            _ = try CallerWindow.extract(from: code, callersAddress: packet.callersAddress)
        case .signature(let bytes):
            guard (1...CallerWindow.length).contains(bytes.count) else {
                throw EpitopeError(
                    .signatureMalformed,
                    "packet \(packet.id) carries a caller window of \(bytes.count) bytes; it must have 1 to \(CallerWindow.length)",
                    remedy: "send the bytes that end at the caller's address, or the code")
            }
        }
    }

    private static func check(_ signature: Signature) throws(EpitopeError) {
        guard signature.isWellFormed else {
            throw EpitopeError(
                .signatureMalformed, "a signature breaks the bounds on tokens, gaps or context",
                remedy: "upgrade the sending center to the version of this one")
        }
    }

    private static func mismatch(_ sender: Identity, _ what: String) -> EpitopeError {
        EpitopeError(
            .identityMismatch, "\(sender.name) is enrolled as \(sender.role.rawValue), and \(what)",
            remedy: "enrol it in the role in which it sends")
    }
}
