public import EpitopeModel
public import Signatures

/// Seeks many signatures in much data: Hyperscan finds the rarest fixed run of each, the signature's own matching
/// then decides.
public final class SignatureScanner: Sendable {
    public let signatures: [Signature]

    /// - Throws: `scanner-unbuildable`.
    public init(_ signatures: [Signature]) throws(EpitopeError) { fatalError("contract") }

    /// The signatures, by index, that match the data, each with the place of one match.
    public func matches(in data: UnsafeRawBufferPointer) throws(EpitopeError) -> [(signature: Int, place: Range<Int>)] { fatalError("contract") }
}
