// SPDX-License-Identifier: Apache-2.0

import Foundation
import GoodwareIndex

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
    private var selected = [UInt64](repeating: 0, count: GoodwareBuilder.chunkBytes)

    init(_ keyFile: PartitionedKeyFile, known: GoodwareIndex? = nil) {
        self.keyFile = keyFile
        self.known = known
        buffers = .allocate(capacity: capacity << PartitionedKeyFile.partitionBits)
        fills = .allocate(capacity: 1 << PartitionedKeyFile.partitionBits)
        fills.initialize(repeating: 0, count: 1 << PartitionedKeyFile.partitionBits)
        recent = .allocate(capacity: 1 << Self.recentBits)
        recent.initialize(repeating: 0, count: 1 << Self.recentBits)
    }

    deinit {
        buffers.deallocate()
        fills.deallocate()
        recent.deallocate()
    }

    func add(_ bytes: UnsafeRawBufferPointer) throws {
        pairs.count(bytes)
        let (buffers, fills, recent, capacity) = (buffers, fills, recent, capacity)
        try selected.withUnsafeMutableBufferPointer { selected in
            let count = GramSelection.keys(of: bytes, into: selected)
            for key in UnsafeMutableBufferPointer(rebasing: selected[..<count]) {
                let place = Int(truncatingIfNeeded: key >> UInt64(64 - Self.recentBits))
                if recent[place] == key, key != 0 { continue }
                recent[place] = key
                let part = Int(truncatingIfNeeded: key >> UInt64(64 - PartitionedKeyFile.partitionBits))
                let fill = fills[part]
                buffers[part &* capacity &+ fill] = key
                fills[part] = fill &+ 1
                if fill &+ 1 == capacity { try flush(part) }
            }
        }
    }

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
