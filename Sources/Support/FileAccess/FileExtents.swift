// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Where a file has data: the rest are holes, which read as zeros and may be larger than any disk.
public enum FileExtents {
    /// SEEK_DATA and SEEK_HOLE of lseek(2), which Glibc's module doesn't have.
    private static let seekData: Int32 = 3
    private static let seekHole: Int32 = 4
    /// How many are listed: of a file in more pieces, the rest counts as data.
    static let maxExtents = 1 << 20

    /// The ranges of an open file that have data, ascending, with holes between them: one range of all of it where the file
    /// system can't tell. Leaves the file's position at its beginning.
    ///
    /// - Parameters:
    ///   - size: of the file, in bytes.
    ///   - minHole: in bytes; shorter holes count as data.
    public static func data(of descriptor: Int32, size: Int, minHole: Int = 1) -> [Range<Int>] {
        defer { lseek(descriptor, 0, SEEK_SET) }
        var extents: [Range<Int>] = []
        var place = 0
        while place < size {
            let start = lseek(descriptor, off_t(place), seekData)
            // ENXIO: there is a hole up to the end.
            if start < 0, errno == ENXIO { break }
            let end = start < 0 || extents.count >= maxExtents ? off_t(size) : lseek(descriptor, start, seekHole)
            guard start >= 0, end > start else { return append(place..<size, to: extents, minHole) }
            if start >= off_t(size) { break }
            extents = append(Int(start)..<min(size, Int(end)), to: extents, minHole)
            place = Int(end)
        }
        return extents
    }

    private static func append(_ range: Range<Int>, to extents: consuming [Range<Int>], _ minHole: Int) -> [Range<Int>] {
        if let last = extents.last, range.lowerBound - last.upperBound < minHole {
            extents[extents.count - 1] = last.lowerBound..<range.upperBound
        } else {
            extents.append(range)
        }
        return extents
    }
}
