// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import FileAccess
import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import TestSupport

/// Windows of the goodware's own files. An index may call none of them absent: that it never does is what every proof by it rests
/// on.
struct KnownWindows {
    /// How many were asked for.
    private(set) var asked = 0
    /// How many of these the index called absent.
    private(set) var absent = 0
    /// Where the first of them are.
    private(set) var places: [String] = []

    /// In bytes: a part of a file whose windows are all asked for.
    private static let extractBytes = 64 << 10
    /// In bytes: an index is built of pieces of a mebibyte, of which each begins with the end of the one before.
    private static let (pieceBytes, overlap) = (1 << 20, 31)
    private static let maxPlaces = 10

    /// Asks for at least so many windows: of whole files, of parts, of ends, and of what lies across the borders of pieces.
    ///
    /// - Throws: an error if there are no files of the tree that are as old as the index.
    init(_ count: Int, of tree: String, in file: GoodwareFile, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed, "known windows")
        let built = try FileStatus(path: file.path).identity.modified
        let unread = Set(file.unread.named.map(\.path))
        let paths = FileTree.files(below: [tree]) { _, _ in }.filter { !unread.contains($0) }.map(\.description)
        var attempts = 0
        while asked < count {
            attempts += 1
            guard !paths.isEmpty, asked > 0 || attempts < 10_000 else { throw CocoaError(.fileReadNoSuchFile) }
            let path = paths[Int.random(in: paths.indices, using: &random)]
            // What was installed since is in no index.
            guard let status = try? FileStatus(path: path), status.identity.changed.seconds < built.seconds,
                let handle = FileHandle(forReadingAtPath: path)
            else { continue }
            defer { try? handle.close() }
            let place = Self.place(in: Int(status.identity.size), &random)
            try handle.seek(toOffset: UInt64(place.lowerBound))
            ask(Array(try handle.read(upToCount: place.count) ?? Data()), "\(path) at byte \(place.lowerBound)", file)
            if attempts % 500 == 0 { Report.progress("\(asked) of \(count) windows of the goodware itself") }
        }
        try file.requireUnchanged()
    }

    private mutating func ask(_ bytes: [UInt8], _ name: String, _ file: GoodwareFile) {
        let windows = file.index.absentWindows(in: bytes)
        asked += windows.count
        guard let first = windows.firstIndex(of: true) else { return }
        absent += windows.count { $0 }
        if places.count < Self.maxPlaces { places.append("\(name), window \(first)") }
    }

    private static func place(in size: Int, _ random: inout SeededGenerator) -> Range<Int> {
        guard size > extractBytes else { return 0..<size }
        let start =
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<2: size - extractBytes
            case 2..<5 where size > pieceBytes + extractBytes:
                max(
                    0,
                    Int.random(in: 1...(size - extractBytes) / pieceBytes, using: &random) * (pieceBytes - overlap)
                        - Int.random(in: 0..<extractBytes, using: &random))
            default: Int.random(in: 0...size - extractBytes, using: &random)
            }
        return start..<start + extractBytes
    }
}
