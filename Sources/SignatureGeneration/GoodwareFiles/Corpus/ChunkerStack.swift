// SPDX-License-Identifier: Apache-2.0

import GoodwareReading

/// The chunkers of a file and its contents, one for each layer, since all are read at once: what a filter reads while its output is
/// read.
final class ChunkerStack {
    private let size: Int
    private let overlap: Int
    private let body: OverlappingChunker.Body
    private var chunkers: [OverlappingChunker] = []

    /// - Parameters: as of ``OverlappingChunker``.
    init(size: Int, overlap: Int, _ body: @escaping OverlappingChunker.Body) {
        self.size = size
        self.overlap = overlap
        self.body = body
    }

    /// Begins a unit.
    func begin(_ unit: String, depth: Int) -> OverlappingChunker {
        while chunkers.count <= depth { chunkers.append(OverlappingChunker(size: size, overlap: overlap, body)) }
        chunkers[depth].begin(unit)
        return chunkers[depth]
    }

    /// The bytes of all units so far.
    var bytes: UInt64 { chunkers.reduce(0) { $0 + $1.bytes } }
}
