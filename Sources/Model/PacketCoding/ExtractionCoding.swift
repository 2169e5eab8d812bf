// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import Signatures
import SwiftProtobuf

extension ExtractionRequest {
    init(_ wire: Epitope_V1_ExtractionRequest, of content: ExtractedPacket.Content) throws(EpitopeError) {
        guard case .code = content else { throw .malformed("extraction", "is asked for, and there is no code to extract from") }
        self.init(signature: HostSignature(wire.signature), signatureBytes: CallerWindow.length)
        guard signature != nil else { return }
        guard let bytes = Int(exactly: wire.signatureBytes), CallerWindow.lengths.contains(bytes) else {
            let (least, most) = (CallerWindow.lengths.lowerBound, CallerWindow.lengths.upperBound)
            throw .malformed("extraction.signature_bytes", "is \(wire.signatureBytes), \(least) to \(most) are allowed")
        }
        signatureBytes = bytes
    }

    var wire: Epitope_V1_ExtractionRequest {
        var wire = Epitope_V1_ExtractionRequest()
        guard let signature else { return wire }
        wire.signature = signature.wire
        wire.signatureBytes = UInt32(clamping: signatureBytes)
        return wire
    }
}

extension HostSignature {
    /// `nil`: none is asked for. A choice of a later version is one of a signature all the same: code that was not to be stored isn't.
    init?(_ wire: Epitope_V1_HostSignature) {
        switch wire {
        case .unspecified: return nil
        case .unique: self = .unique
        case .caller, .UNRECOGNIZED: self = .caller
        }
    }

    var wire: Epitope_V1_HostSignature {
        switch self {
        case .caller: .caller
        case .unique: .unique
        }
    }
}

extension ReceivedPacket {
    /// The packet with what was extracted from it in its code's place: what its host would have sent. Fields of later versions of the
    /// schema stay.
    ///
    /// - Parameters:
    ///   - content: no larger than what came in.
    ///   - signatureAddress: as in ``EpitopeModel/ExtractedPacket``.
    public func extracted(_ content: ExtractedPacket.Content, signatureAddress: UInt64? = nil) throws(EpitopeError) -> ReceivedPacket {
        var wire: Epitope_V1_ExtractedPacket
        do {
            wire = try Epitope_V1_ExtractedPacket(serializedBytes: bytes)
        } catch {
            throw .malformed("the packet", "is not a valid message of \(bytes.count) bytes: truncated or damaged")
        }
        wire.clearExtraction()
        wire.clearSignatureAddress()
        switch content {
        case .code(let code):
            wire.code.base = code.base
            wire.code.bytes = Data(code.bytes)
            wire.code.isWholeRegion = code.isWholeRegion
        case .signature(let window):
            wire.signature = Data(window)
            if let signatureAddress { wire.signatureAddress = signatureAddress }
        }
        var packet = try ReceivedPacket(encoded: Wire.encode(wire))
        packet.source = source
        return packet
    }
}
