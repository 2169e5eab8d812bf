// SPDX-License-Identifier: Apache-2.0

import Foundation
import GoodwareIndex

/// One worker's keys and byte pairs; full buffers go to the spill.
final class KeyCollector {
    private(set) var pairs = BytePairs()
    private let spill: PartitionedKeyFile
    private let capacity = 4096
    private let buffers: UnsafeMutablePointer<UInt64>
    private let fills: UnsafeMutablePointer<Int>
    private var selected = [UInt64](repeating: 0, count: GoodwareBuilder.piece)

    init(_ spill: PartitionedKeyFile) {
        self.spill = spill
        buffers = .allocate(capacity: capacity << PartitionedKeyFile.bits)
        fills = .allocate(capacity: 1 << PartitionedKeyFile.bits)
        fills.initialize(repeating: 0, count: 1 << PartitionedKeyFile.bits)
    }

    deinit {
        buffers.deallocate()
        fills.deallocate()
    }

    func add(_ bytes: UnsafeRawBufferPointer) throws {
        pairs.count(bytes)
        try selected.withUnsafeMutableBufferPointer { selected in
            for index in 0..<GramSelection.keys(of: bytes, into: selected) {
                let key = selected[index]
                let part = Int(truncatingIfNeeded: key >> 56)
                buffers[part * capacity + fills[part]] = key
                fills[part] += 1
                if fills[part] == capacity { try flush(part) }
            }
        }
    }

    func finish() throws {
        for part in 0..<(1 << PartitionedKeyFile.bits) where fills[part] > 0 { try flush(part) }
    }

    private func flush(_ part: Int) throws {
        let keys = UnsafeBufferPointer(start: buffers + part * capacity, count: fills[part])
        try spill.append(UnsafeRawBufferPointer(keys), part: part)
        fills[part] = 0
    }
}
