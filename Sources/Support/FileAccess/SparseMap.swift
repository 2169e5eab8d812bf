// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A file's bytes, mapped for reading with its holes shortened: a file of terabytes with megabytes of data takes as long to
/// read as those.
///
/// A hole that is longer than asked for has exactly that length here, all zeros. So two pieces of data have the same distance
/// as in the file, or one that is at least the holes' length in both.
public final class SparseMap: Sendable {
    /// A piece of the file, and where it is in the map.
    private struct Piece {
        var inFile: Range<Int>
        var place: Int
    }

    private let map: MemoryMap
    /// Ascending.
    private let pieces: [Piece]
    /// In bytes: how much of the file's holes was left out.
    public let skippedBytes: Int

    /// How many pieces a file is mapped in; of a file with more, the longest holes are shortened. A process may have 65,530
    /// mappings (vm.max_map_count).
    static let maxPieces = 4096
    private static let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

    /// Maps an open file, which may be closed afterwards.
    ///
    /// - Parameters:
    ///   - size: of the file, in bytes.
    ///   - maxHole: in bytes: the length of a hole that is longer in the file.
    public init(_ descriptor: Int32, size: Int, maxHole: Int) throws(FileError) {
        let hole = Self.roundedUp(max(maxHole, 1))
        let extents = Self.longestHoles(FileExtents.data(of: descriptor, size: size, minHole: hole + 2 * Self.pageBytes), size: size)
        var pieces: [Piece] = []
        var length = 0
        for extent in extents {
            let start = extent.lowerBound / Self.pageBytes * Self.pageBytes
            let end = min(size, Self.roundedUp(extent.upperBound))
            length += min(hole, start - (pieces.last?.inFile.upperBound ?? 0))
            pieces.append(Piece(inFile: start..<end, place: length))
            length += end - start
        }
        length += min(hole, size - (pieces.last?.inFile.upperBound ?? 0))
        self.pieces = pieces
        skippedBytes = size - length
        map = try MemoryMap(length: length, isSequential: true) { [pieces, length] () throws(FileError) in
            try Self.mapped(pieces, of: descriptor, length: length)
        }
    }

    /// The file's bytes, with its holes shortened.
    public var bytes: UnsafeRawBufferPointer { map.bytes }

    /// The place in the file of a place in ``bytes``.
    public func fileOffset(of place: Int) -> Int {
        guard let piece = pieces.last(where: { $0.place <= place }) else { return place }
        return piece.inFile.lowerBound + place - piece.place
    }

    /// As ``MemoryMap/cutAt``, as an offset in the file.
    public var cutAt: Int? { map.cutAt.map(fileOffset) }

    /// Zero pages as long as everything, and over them the pieces.
    private static func mapped(_ pieces: [Piece], of descriptor: Int32, length: Int) throws(FileError) -> UnsafeMutableRawPointer {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = mmap(nil, length, PROT_READ, flags, -1, 0), base != MAP_FAILED else { throw .last }
        for piece in pieces {
            let found = mmap(
                base + piece.place, piece.inFile.count, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor, off_t(piece.inFile.lowerBound))
            guard found != MAP_FAILED else {
                let failure = FileError.last
                munmap(base, length)
                throw failure
            }
        }
        return base
    }

    /// Joins pieces across the shortest holes until there are few enough.
    private static func longestHoles(_ extents: [Range<Int>], size: Int) -> [Range<Int>] {
        guard extents.count > maxPieces else { return extents }
        let holes = zip(extents, extents.dropFirst()).map { $1.lowerBound - $0.upperBound }
        let kept = Set(holes.indices.sorted { holes[$0] > holes[$1] }.prefix(maxPieces - 1))
        var joined: [Range<Int>] = []
        for (index, extent) in extents.enumerated() {
            if let last = joined.last, !kept.contains(index - 1) {
                joined[joined.count - 1] = last.lowerBound..<extent.upperBound
            } else {
                joined.append(extent)
            }
        }
        return joined
    }

    private static func roundedUp(_ count: Int) -> Int { (count + pageBytes - 1) / pageBytes * pageBytes }
}
