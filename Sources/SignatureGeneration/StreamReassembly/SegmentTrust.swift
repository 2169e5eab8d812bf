// SPDX-License-Identifier: Apache-2.0

/// Whether the segments of a side can be told by their checksum.
///
/// Where a network card puts it in, a capture on the machine itself has a wrong one in every segment (but for one in 65,536, which
/// is right by chance). So a wrong one tells only of a side whose first segment had a right one, or two in a row; and no longer
/// when many in a row are wrong. A partial checksum tells nothing: what is received is merged on the way, and then has one; only
/// a reset is not believed with it, since a machine writes those of its resets itself.
struct SegmentTrust {
    private static let rightInRow = 2
    private static let wrongInRow = 16

    private var isFirst = true
    private var isChecked = false
    private var right = 0
    private var wrong = 0

    /// Whether a segment counts. Those that open a connection or bring data show whether checksums are right.
    mutating func takes(_ segment: TCPSegment) -> Bool {
        if segment.verdict == .unknown || segment.verdict == .partial && !segment.isReset { return true }
        guard segment.isSynchronising || !segment.payload.isEmpty else { return segment.verdict == .right || !isChecked }
        defer { isFirst = false }
        if segment.verdict == .right {
            (right, wrong) = (right + 1, 0)
            if isFirst || right >= Self.rightInRow { isChecked = true }
            return true
        }
        (right, wrong) = (0, wrong + 1)
        if wrong >= Self.wrongInRow { isChecked = false }
        return !isChecked
    }
}
