// SPDX-License-Identifier: Apache-2.0

/// Random bytes for tests and experiments, the same for the same seed on every machine, so that their figures can be reproduced.
extension SeededGenerator {
    /// A separate sequence for each purpose, so that a change to one experiment doesn't change the draws of another.
    public init(seed: UInt64, _ purpose: String) {
        // FNV-1a, since Swift's own hash differs from run to run.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in purpose.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        self.init(seed: seed ^ hash)
    }

    /// Bytes of any value.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 17) }
    }

    /// Bytes of any value, their number drawn from the range.
    public mutating func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
        bytes(Int.random(in: count, using: &self))
    }

    /// Bytes of the given values, their number drawn from the range.
    public mutating func bytes(_ count: ClosedRange<Int>, of values: [UInt8]) -> [UInt8] {
        (0..<Int.random(in: count, using: &self)).map { _ in values[Int.random(in: values.indices, using: &self)] }
    }
}
