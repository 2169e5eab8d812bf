// SPDX-License-Identifier: Apache-2.0

/// Bytes of a stream that came before others which belong in front of them.
///
/// They lie in pages of a fixed size by their place in the stream: adding a byte takes the same time whatever is held, and in
/// whatever order bytes come.
struct AheadPages {
    /// Bytes that follow each other.
    struct Run {
        var position: Int
        var bytes: [UInt8]
        /// With the bytes that came last where segments disagreed; `nil` if none did.
        var later: [UInt8]?
    }

    private struct Page {
        var bytes = [UInt8](repeating: 0, count: AheadPages.pageBytes)
        var later: [UInt8]?
        /// A bit for each byte that is there.
        var held = Both<(UInt64, UInt64)>(one: (0, 0), two: (0, 0))

        func holds(_ offset: Int) -> Bool {
            let half = offset < 128 ? held.one : held.two
            return (offset & 64 == 0 ? half.0 : half.1) >> UInt64(offset & 63) & 1 == 1
        }

        mutating func mark(_ offset: Int) {
            let (bit, side) = (UInt64(1) << UInt64(offset & 63), offset < 128 ? Side.one : .two)
            if offset & 64 == 0 { held[side].0 |= bit } else { held[side].1 |= bit }
        }
    }

    private static let pageBytes = 256
    /// In bytes: what a page takes, about.
    private static let pageCost = pageBytes + 128

    private var pages: [Int: Page] = [:]
    /// In bytes: how much was looked at or copied.
    private(set) var work = 0

    var isEmpty: Bool { pages.isEmpty }
    /// In bytes of memory, about.
    var cost: Int { pages.count * Self.pageCost }

    /// Whether any byte of a range may be held.
    func touches(_ range: Range<Int>) -> Bool {
        guard !pages.isEmpty, !range.isEmpty else { return false }
        return (range.lowerBound / Self.pageBytes...(range.upperBound - 1) / Self.pageBytes).contains { pages[$0] != nil }
    }

    /// Adds bytes. What is there stays; a byte that differs is held besides.
    ///
    /// - Returns: whether bytes were there that differed from both.
    mutating func put(_ bytes: ArraySlice<UInt8>, at position: Int) -> Bool {
        var isLost = false
        var rest = bytes
        var place = position
        while !rest.isEmpty {
            let offset = place % Self.pageBytes
            let part = rest.prefix(Self.pageBytes - offset)
            if Self.put(part, at: offset, of: &pages[place / Self.pageBytes, default: Page()]) { isLost = true }
            place += part.count
            rest = rest.dropFirst(part.count)
        }
        work += bytes.count
        return isLost
    }

    private static func put(_ bytes: ArraySlice<UInt8>, at start: Int, of page: inout Page) -> Bool {
        var isLost = false
        for (offset, byte) in zip(start..., bytes) {
            if !page.holds(offset) {
                page.mark(offset)
                page.bytes[offset] = byte
                page.later?[offset] = byte
            } else if page.bytes[offset] != byte {
                var later = page.later ?? page.bytes
                page.later = nil
                if later[offset] != page.bytes[offset], later[offset] != byte { isLost = true }
                later[offset] = byte
                page.later = later
            }
        }
        return isLost
    }

    /// Takes out what follows a position without a hole; `nil` if nothing does.
    mutating func take(from position: Int) -> Run? {
        var run = Run(position: position, bytes: [])
        var place = position
        while let page = pages[place / Self.pageBytes], page.holds(place % Self.pageBytes) {
            let offset = place % Self.pageBytes
            let end = (offset..<Self.pageBytes).first { !page.holds($0) } ?? Self.pageBytes
            Self.append(page, offset..<end, to: &run)
            if end == Self.pageBytes { pages[place / Self.pageBytes] = nil }
            place += end - offset
        }
        work += run.bytes.count + 1
        return run.bytes.isEmpty ? nil : run
    }

    /// Takes out everything from a position on, in order. Takes the time to sort the pages.
    mutating func takeAll(from position: Int) -> [Run] {
        var runs: [Run] = []
        for number in pages.keys.sorted() {
            guard let page = pages[number] else { continue }
            let start = number * Self.pageBytes
            for offset in 0..<Self.pageBytes where page.holds(offset) && start + offset >= position {
                if let last = runs.last, last.position + last.bytes.count == start + offset {
                    Self.append(page, offset..<offset + 1, to: &runs[runs.count - 1])
                } else {
                    var run = Run(position: start + offset, bytes: [])
                    Self.append(page, offset..<offset + 1, to: &run)
                    runs.append(run)
                }
            }
        }
        work += pages.count * (Self.pageBytes + Int.bitWidth - pages.count.leadingZeroBitCount)
        pages = [:]
        return runs
    }

    private static func append(_ page: Page, _ range: Range<Int>, to run: inout Run) {
        if page.later != nil, run.later == nil { run.later = run.bytes }
        run.bytes += page.bytes[range]
        run.later? += (page.later ?? page.bytes)[range]
    }
}
