// SPDX-License-Identifier: Apache-2.0

/// How much memory reassembly may use.
public struct ReassemblyBounds: Hashable, Sendable {
    /// In bytes, of one side of one flow. The rest counts as missing.
    public var stream: Int
    /// The number of flows that are followed at once. Beyond it, the one that was idle for longest is ended.
    public var flows: Int

    public init(stream: Int = 1 << 20, flows: Int = 1 << 16) {
        self.stream = stream
        self.flows = flows
    }
}
