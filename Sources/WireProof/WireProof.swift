public import StreamReassembly

/// A part of extracted code that crossed the network as it is.
public struct WireSpan: Hashable, Sendable {
    /// Offsets in the code.
    public var code: Range<Int>
    /// Where in the stream it begins.
    public var streamOffset: Int

    public init(code: Range<Int>, streamOffset: Int) {
        self.code = code
        self.streamOffset = streamOffset
    }
}

/// Finds what of a packet's code really crossed the network.
public enum WireProof {
    /// The maximal common runs of code and stream, ascending by the place in the code.
    ///
    /// - Parameter shortest: runs of fewer bytes are left out.
    public static func spans(of code: [UInt8], in stream: [UInt8], shortest: Int = 12) -> [WireSpan] { fatalError("contract") }
}
