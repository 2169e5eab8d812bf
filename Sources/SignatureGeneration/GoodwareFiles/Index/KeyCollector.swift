// SPDX-License-Identifier: Apache-2.0

import CPrefetch
import Foundation
import GoodwareIndex
import GoodwareReading

/// Collects one worker's keys and byte pairs; full buffers are written to the key file.
final class KeyCollector {
    private(set) var pairs = BytePairs()
    private let keyFile: PartitionedKeyFile
    /// The index that is extended: its keys are not added again.
    private let known: GoodwareIndex?
    /// In keys, of the buffer of each partition.
    private let capacity = 4096
    private let buffers: UnsafeMutablePointer<UInt64>
    private let fills: UnsafeMutablePointer<Int>
    /// Keys that were collected lately, each at the place that its first bits say: programs repeat themselves, and a key that is
    /// left out here need not be written and sorted. 0 stands for none: that key is always written.
    private let recent: UnsafeMutablePointer<UInt64>
    /// In bits: so many keys stay near the processor.
    private static let recentBits = 16
    /// In bytes: so much is looked at before its keys are collected; they stay near the processor meanwhile.
    private static let pieceBytes = 32 << 10
    /// So many keys ahead what is known of a key is fetched.
    private static let fetchDistance = 24
    private let selected: UnsafeMutableBufferPointer<UInt64>

    init(_ keyFile: PartitionedKeyFile, known: GoodwareIndex? = nil) {
        self.keyFile = keyFile
        self.known = known
        buffers = .allocate(capacity: capacity << PartitionedKeyFile.partitionBits)
        fills = .allocate(capacity: 1 << PartitionedKeyFile.partitionBits)
        fills.initialize(repeating: 0, count: 1 << PartitionedKeyFile.partitionBits)
        recent = .allocate(capacity: 1 << Self.recentBits)
        recent.initialize(repeating: 0, count: 1 << Self.recentBits)
        selected = .allocate(capacity: Self.pieceBytes + GoodwareIndex.windowLength + Self.fetchDistance)
        selected.initialize(repeating: 0)
    }

    deinit {
        buffers.deallocate()
        fills.deallocate()
        recent.deallocate()
        selected.deallocate()
    }

    func add(_ bytes: UnsafeRawBufferPointer) throws {
        pairs.count(bytes)
        let overlap = GoodwareIndex.windowLength - 1
        for start in stride(from: 0, to: bytes.count - overlap, by: Self.pieceBytes) {
            try collect(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + Self.pieceBytes + overlap, bytes.count)]))
        }
    }

    /// Collects the keys of a piece, each window of which is in no other.
    private func collect(_ piece: UnsafeRawBufferPointer) throws {
        let (buffers, fills, recent, capacity) = (buffers, fills, recent, capacity)
        let count = GramSelection.keys(of: piece, into: selected)
        guard let keys = selected.baseAddress else { return }
        for index in 0..<count {
            let key = keys[index]
            // Behind the last key there is an earlier one or none: it is fetched for nothing.
            epitope_prefetch(recent + Self.place(of: keys[index &+ Self.fetchDistance]))
            let place = Self.place(of: key)
            // Without a branch: which keys are repeated can't be foreseen.
            let new = recent[place] != key || key == 0 ? 1 : 0
            recent[place] = key
            let part = Int(truncatingIfNeeded: key >> UInt64(64 - PartitionedKeyFile.partitionBits))
            let fill = fills[part]
            buffers[part &* capacity &+ fill] = key
            fills[part] = fill &+ new
            if fill &+ new == capacity { try flush(part) }
        }
    }

    /// A key's place among those that were collected lately.
    @inline(__always)
    private static func place(of key: UInt64) -> Int { Int(truncatingIfNeeded: key &>> UInt64(64 - recentBits)) }

    func finish() throws {
        for part in 0..<(1 << PartitionedKeyFile.partitionBits) where fills[part] > 0 { try flush(part) }
    }

    private func flush(_ part: Int) throws {
        var count = fills[part]
        if let known {
            // What an older segment may hold, rightly or not, is never called absent: it need not be added.
            count = 0
            for index in 0..<fills[part] where !known.mayContain(buffers[part * capacity + index]) {
                buffers[part * capacity + count] = buffers[part * capacity + index]
                count += 1
            }
        }
        let keys = UnsafeBufferPointer(start: buffers + part * capacity, count: count)
        try keyFile.append(UnsafeRawBufferPointer(keys), part: part)
        fills[part] = 0
    }
}
