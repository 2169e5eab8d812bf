// SPDX-License-Identifier: Apache-2.0

import func Glibc.log2

/// How often each byte follows each other byte in the goodware.
public struct BytePairs: Hashable, Sendable {
    /// The number of pairs.
    public static let pairCount = 65536
    /// ``pairCount`` counts: the index of a pair is 256 times its first byte plus its second.
    public private(set) var counts: [UInt64]
    /// In bytes: pairs are counted in the first KiB of each 16 KiB, which is enough for frequencies.
    static let countedBytes = 1024
    static let periodBytes = 16384

    public init() {
        counts = [UInt64](repeating: 0, count: Self.pairCount)
    }

    /// `nil` unless there are ``pairCount`` counts.
    public init?(counts: [UInt64]) {
        guard counts.count == Self.pairCount else { return nil }
        self.counts = counts
    }

    /// Counts the pairs of a run of bytes (a share of them where it is long).
    public mutating func count(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 2 else { return }
        counts.withUnsafeMutableBufferPointer { counts in
            for start in stride(from: 0, to: bytes.count - 1, by: Self.periodBytes) {
                var previous = Int(bytes[start])
                for index in (start + 1)..<min(start + Self.countedBytes, bytes.count) {
                    let next = Int(bytes[index])
                    counts[previous << 8 | next] &+= 1
                    previous = next
                }
            }
        }
    }

    /// Adds another table's counts.
    public mutating func add(_ other: BytePairs) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
    }
}

/// How many bits each byte costs after the byte before it, by the frequencies of a table of pairs.
struct ByteSurprise: Sendable {
    /// One for each pair, then 256 for bytes with no byte before them.
    private let bits: [Float]

    init(_ pairs: BytePairs) {
        var bits: [Float] = []
        bits.reserveCapacity(BytePairs.pairCount + 256)
        var totals = [UInt64](repeating: 0, count: 256)
        for first in 0..<256 {
            let row = pairs.counts[(first << 8)..<((first + 1) << 8)]
            totals[first] = row.reduce(0, &+)
            // One is added to every count (Laplace): a pair that was never seen is surprising, not impossible.
            let all = log2(Double(totals[first]) + 256)
            for count in row { bits.append(Float(all - log2(Double(count) + 1))) }
        }
        let all = log2(Double(totals.reduce(0, &+)) + 256)
        for total in totals { bits.append(Float(all - log2(Double(total) + 1))) }
        self.bits = bits
    }

    func of(_ run: some Collection<UInt8>) -> Double {
        guard let first = run.first else { return 0 }
        var sum = Double(bits[BytePairs.pairCount + Int(first)])
        var previous = Int(first)
        for byte in run.dropFirst() {
            sum += Double(bits[previous << 8 | Int(byte)])
            previous = Int(byte)
        }
        return sum
    }
}
