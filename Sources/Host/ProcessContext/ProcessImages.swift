// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import Scheduling

/// The files of a process's executable mappings, as they were when its call was held: read afterwards, within bounds, from the process's
/// own root.
public struct ProcessImages: Sendable {
    /// How much is read of them in all, in bytes, and how many there may be.
    public static let maxBytes = 256 << 20
    static let maxCount = 1024
    /// How long reading them may take, in seconds: they may lie on a file system that never answers.
    public static let maxSeconds = 5.0
    private static let chunk = 1 << 20

    private struct Image: Hashable {
        var path: String
        var inode: UInt64
    }

    private let images: [Image]
    private let executable: FileDescriptor?
    private let root: RootFolder
    private let isWhole: Bool

    /// - Parameters:
    ///   - maps: the content of `/proc/PID/maps`.
    ///   - pathInRoot: what a path there is in the process's root.
    init(maps: [UInt8], executable: FileDescriptor?, root: RootFolder, pathInRoot: (String) -> String) {
        var found: Set<Image> = []
        for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count == 6, fields[1].contains("x"), let inode = UInt64(fields[4]), inode != 0 else { continue }
            let path = String(fields[5].drop { $0 == " " })
            // Memory without a file, and what the kernel maps, is no image.
            guard path.hasPrefix("/"), !path.hasPrefix("/memfd:"), !path.hasPrefix("/SYSV"), !path.hasPrefix("/dev/zero") else { continue }
            found.insert(Image(path: pathInRoot(path), inode: inode))
        }
        images = Array(found)
        isWhole = found.count <= Self.maxCount
        self.executable = executable
        self.root = root
    }

    /// Reads all of them, in pieces that overlap.
    ///
    /// - Parameters:
    ///   - overlap: how many bytes of a piece the next one begins with.
    ///   - body: is given each piece.
    /// - Returns: whether all were read as a whole: not where one is gone, or they are too many or too long.
    public func read(overlap: Int, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        guard isWhole else { return false }
        let start = ContinuousClock.now
        var left = Self.maxBytes
        var inodes: Set<UInt64> = []
        for image in images {
            // The kernel's number of a file on overlayfs may be another than the file system's: then the path alone decides.
            guard let file = file(of: image), let status = try? file.status() else { return false }
            guard inodes.insert(status.identity.inode).inserted else { continue }
            var place = 0
            while true {
                let count = min(Self.chunk, left)
                guard let bytes = try? DescriptorIO.bytes(file.number, at: place, count: count) else { return false }
                bytes.withUnsafeBytes(body)
                left -= bytes.count
                if bytes.count < count { break }
                guard left > 0, ContinuousClock.now - start < .seconds(Self.maxSeconds) else { return false }
                place += max(1, count - overlap)
            }
        }
        return true
    }

    /// The program's own file was opened while the process was held; the others are looked up by their paths.
    private func file(of image: Image) -> FileDescriptor? {
        if let executable, let identity = FileIdentity(executable.number), identity.inode == image.inode { return executable }
        return root.file(image.path)
    }
}
