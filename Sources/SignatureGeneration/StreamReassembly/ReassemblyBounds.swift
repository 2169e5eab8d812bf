// SPDX-License-Identifier: Apache-2.0

/// What reassembly may hold in memory.
public struct ReassemblyBounds: Hashable, Sendable {
    /// In bytes, of one side of one flow; what comes after is counted as missing.
    public var stream: Int
    /// How many flows are followed at once; the one that was quiet for longest is given up.
    public var flows: Int

    public init(stream: Int = 1 << 20, flows: Int = 1 << 16) {
        self.stream = stream
        self.flows = flows
    }
}
