import EpitopeModel
import PacketCoding
import Signatures

/// Stand-in until PacketCoding has the encodings.
enum WireCoding {
    static func encode(_ packet: ExtractedPacket) throws(EpitopeError) -> [UInt8] { throw pending }
    static func encode(_ packet: ForwardedPacket) throws(EpitopeError) -> [UInt8] { throw pending }
    static func encode(_ packet: SignatureUpdate) throws(EpitopeError) -> [UInt8] { throw pending }
    static func receipt(_ bytes: [UInt8]) throws(EpitopeError) -> Receipt { throw pending }
    static func updates(_ bytes: [UInt8]) throws(EpitopeError) -> [SequencedUpdate] { throw pending }
    static let pending = EpitopeError(.internalFailure, "not yet", remedy: "wait")
}
