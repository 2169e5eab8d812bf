public import Signatures

/// Answers whether a string of 32 bytes is anywhere in the goodware that it was built from, with no false "absent".
public struct GoodwareIndex: Sendable {
    /// In bytes: the shortest string that the index can speak of.
    public static let windowLength = 32
    /// In bytes: what is selected of each window, and kept.
    public static let gramLength = 16

    /// The bytes of goodware that it was built from.
    public var corpusBytes: UInt64 { fatalError("contract") }

    /// For each window of 32 bytes, in order of its start: whether it is proven absent from the goodware. Empty for
    /// fewer than 32 bytes.
    public func absentWindows(in bytes: [UInt8]) -> [Bool] { fatalError("contract") }

    /// Whether a fixed run of one of its tokens holds a window that is proven absent: then no goodware matches.
    public func provesAbsence(of signature: Signature) -> Bool { fatalError("contract") }

    /// How surprising a run of bytes is, in bits, by the frequencies of byte pairs in the goodware.
    public func surprise(of run: some Collection<UInt8>) -> Double { fatalError("contract") }
}
