// SPDX-License-Identifier: Apache-2.0

/// How much memory reassembly may use.
public struct ReassemblyBounds: Hashable, Sendable {
    /// In bytes: a stream is handed on in parts of about this length while it grows.
    public var part: Int
    /// In bytes: how much of a stream's last part is the beginning of its next one, so that what lies across is found. At least
    /// the longest distance that a signature bounds (`Signature.maxGap`) with its tokens.
    public var overlap: Int
    /// The number of connections with data that are followed at once. Beyond it, the one that was idle for longest is ended.
    public var flows: Int
    /// In bytes, of all connections together. Beyond it, the one that was idle for longest is ended.
    public var memory: Int

    public init(part: Int = 1 << 20, overlap: Int = 128 << 10, flows: Int = 1 << 16, memory: Int = 256 << 20) {
        self.part = max(1, part)
        self.overlap = min(max(0, overlap), self.part)
        self.flows = max(1, flows)
        self.memory = memory
    }
}
