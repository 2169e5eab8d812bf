// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import ProcessInspection
import UnwindTables

/// How far the frames of a C library reach, at every place that a call returns to: with it the kernel program finds the
/// library's caller exactly, where a stale word of the stack could be taken for it.
struct LibraryFrames {
    var inode: UInt64
    /// As the kernel encodes it: major << 20 | minor.
    var device: UInt32
    /// By the place in the file of a calling instruction's last byte: the distance from the stack pointer to the frame's
    /// end.
    var sizes: [UInt64: UInt32]

    /// Larger ones are left to the look through the stack.
    static let largestImage = 16 << 20

    /// `nil` for an image without unwind tables.
    ///
    /// - Parameter bytes: the image.
    init?(_ library: CLibraries.Library, _ bytes: [UInt8]) {
        guard bytes.count <= Self.largestImage, let layout = UnwindTable.layout(ofImage: Array(bytes.prefix(UnwindTable.largestHeader))),
            let range = UnwindTable.range(of: layout), range.offset < UInt64(bytes.count)
        else { return nil }
        let start = Int(range.offset)
        guard let table = UnwindTable(layout, Array(bytes[start..<min(bytes.count, start + range.count)])) else { return nil }
        inode = library.inode
        device = library.device
        sizes = [:]
        for (lower, upper) in library.executable {
            let end = min(upper, bytes.count)
            guard lower + 8 < end else { continue }
            for place in (lower + 8)..<end where Self.mayReturnHere(bytes, place) {
                guard let address = layout.address(ofFileOffset: UInt64(place - 1)),
                    let size = Self.isSystemCall(bytes, place) ? table.frameSize(afterSystemCallAt: address) : table.frameSize(at: address),
                    let size = UInt32(exactly: size), size >= 8
                else { continue }
                sizes[UInt64(place - 1)] = size
            }
        }
    }

    private static func isSystemCall(_ bytes: [UInt8], _ place: Int) -> Bool { bytes[place - 2] == 0x0F && bytes[place - 1] == 0x05 }

    /// Whether a system call, a relative call or a call through a register or memory may end right before a place. Bytes
    /// that only look like one do no harm: their frame is as the tables say.
    private static func mayReturnHere(_ bytes: [UInt8], _ place: Int) -> Bool {
        if isSystemCall(bytes, place) { return true }
        if bytes[place - 5] == 0xE8 { return true }
        for length in [2, 3, 4, 6, 7] where bytes[place - length] == 0xFF && bytes[place - length + 1] & 0x38 == 0x10 { return true }
        return false
    }
}

/// The C libraries that processes of this machine have mapped.
enum CLibraries {
    struct Library: Sendable {
        /// A path that leads to the mapped file, whatever has become of its name.
        var path: String
        var inode: UInt64
        var device: UInt32
        /// The executable mappings' places in the file.
        var executable: [(Int, Int)]
    }

    /// The most libraries: containers may each bring one.
    static let most = 8

    /// How many seconds the reading of one may take: whose file it is may not answer.
    private static let longestReading = 2.0

    /// Their frames, as far as their files can be had.
    ///
    /// - Parameter bounded: where a file is read.
    static func frames(_ bounded: BoundedWork) -> some Sequence<LibraryFrames> {
        running().lazy.compactMap { library in
            let bytes = bounded.run(withinSeconds: longestReading) { RegularFile.bytes(library.path, most: LibraryFrames.largestImage + 1) }
            return bytes.flatMap { $0 }.flatMap { LibraryFrames(library, $0) }
        }
    }

    private static func running() -> [Library] {
        var found: [String: Library] = [:]
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.filter { Int($0) != nil } ?? []
        // Init first: the machine's own library.
        for process in processes.sorted(by: { Int($0)! < Int($1)! }) where found.count < most {
            guard let maps = ProcFile.text("/proc/\(process)/maps") else { continue }
            for entry in MapEntry.entries(inMaps: maps) where entry.protection.contains(.execute) && isCLibrary(entry.name) {
                let key = "\(entry.device) \(entry.inode) \(entry.offset)"
                guard found[key] == nil, let offset = Int(exactly: entry.offset) else { continue }
                let range = String(entry.start, radix: 16) + "-" + String(entry.end, radix: 16)
                found[key] = Library(
                    path: "/proc/\(process)/map_files/\(range)", inode: entry.inode,
                    device: entry.device.major << 20 | entry.device.minor,
                    executable: [(offset, offset + Int(entry.end - entry.start))])
            }
        }
        return Array(found.values)
    }

    private static func isCLibrary(_ name: String) -> Bool {
        guard let slash = name.lastIndex(of: "/") else { return false }
        let last = name[name.index(after: slash)...]
        return last.hasPrefix("libc.so") || last.hasPrefix("libc-2") || last.hasPrefix("libpthread") || last.hasPrefix("ld-musl")
    }
}
