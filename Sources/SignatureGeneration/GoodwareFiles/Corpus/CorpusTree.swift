// SPDX-License-Identifier: Apache-2.0

import FileAccess
import GoodwareReading

/// Finds the files of a corpus.
///
/// Each folder is opened relative to one above it, so paths may be longer than the kernel takes at once, and a folder that is
/// replaced meanwhile leads nowhere else. Costs one look at each entry, however deep it lies, and the memory of the paths.
struct CorpusTree {
    /// In bytes: the longest path that is followed, four times what the kernel takes at once (PATH_MAX).
    static let maxPathBytes = 16 << 10
    /// In bytes: all paths together, those of some ten million files.
    static let maxPathBytesInAll = 1 << 30
    /// In bytes: a folder so far below its anchor is the anchor of what is below it.
    private static let anchorDistance = 2000

    private struct Place: Hashable {
        var device: UInt64
        var inode: UInt64

        init(_ identity: FileIdentity) {
            device = identity.device
            inode = identity.inode
        }
    }

    /// An open folder that others are opened from.
    private struct Anchor {
        var folder: PathHandle
        /// In bytes, of its path.
        var length: Int
    }

    private struct Waiting {
        var path: RawPath
        var anchor: Anchor?
    }

    private(set) var files: [CorpusFile] = []
    private let maxBytes: Int
    private var bytes = 0
    private var seen: Set<Place> = []
    private var waiting: [Waiting] = []
    /// By device: whether its file system is one of the kernel's.
    private var kernels: [UInt64: Bool] = [:]

    /// All non-empty regular files below the folders, each once even if it has several names, sorted by path. Symbolic links
    /// are not followed, and file systems of the kernel are passed over wherever they are mounted
    /// (``FileAccess/KernelFileSystem``).
    ///
    /// - Parameter unreadable: called for each folder and file that can't be looked at, and for each of the folders that is the
    ///   kernel's, with the reason.
    init(below folders: [String], maxBytes: Int = Self.maxPathBytesInAll, unreadable: (RawPath, String) -> Void) {
        self.maxBytes = maxBytes
        for folder in folders.map({ RawPath($0) }) { begin(folder, unreadable) }
        while let folder = waiting.popLast() {
            bytes -= folder.path.bytes.count
            do throws(FileError) { try list(folder, unreadable) } catch { unreadable(folder.path, error.description) }
        }
        files.sort { $0.path < $1.path }
    }

    private mutating func begin(_ path: RawPath, _ unreadable: (RawPath, String) -> Void) {
        do throws(FileError) {
            let handle = try PathHandle(path)
            let status = try handle.status()
            guard !isKernels(status.identity.device, handle) else { return unreadable(path, "the kernel makes up what is in it") }
            guard status.kind == .regular || status.kind == .folder else { return unreadable(path, "not a regular file or folder") }
            take(path, status, anchor: nil, unreadable)
        } catch {
            unreadable(path, error.description)
        }
    }

    private mutating func list(_ folder: Waiting, _ unreadable: (RawPath, String) -> Void) throws(FileError) {
        let handle = try open(folder)
        let status = try handle.status()
        // What was mounted on a folder has the device of the file system in it.
        guard !isKernels(status.identity.device, handle) else { return }
        let length = folder.path.bytes.count
        var anchor = folder.anchor
        if length - (anchor?.length ?? 0) > Self.anchorDistance { anchor = Anchor(folder: handle, length: length) }
        try Folders.eachName(in: handle) { name in
            let path = folder.path.appending(name)
            guard path.bytes.count <= Self.maxPathBytes else {
                unreadable(folder.path, "what is in it has a path of more than \(Self.maxPathBytes) bytes")
                return false
            }
            do throws(FileError) {
                let status = try FileStatus(name: name, in: handle)
                guard !isKernels(status.identity.device, name, in: handle) else { return true }
                take(path, status, anchor: anchor, unreadable)
            } catch {
                unreadable(path, error.description)
            }
            return true
        }
    }

    private func open(_ folder: Waiting) throws(FileError) -> PathHandle {
        guard let anchor = folder.anchor else { return try PathHandle(folder.path, mustBeFolder: true) }
        let relative = folder.path.bytes.dropFirst(anchor.length).drop { $0 == UInt8(ascii: "/") }
        return try PathHandle(RawPath(bytes: Array(relative)), in: anchor.folder, mustBeFolder: true)
    }

    private mutating func take(
        _ path: RawPath, _ status: FileStatus, anchor: Anchor?, _ unreadable: (RawPath, String) -> Void
    ) {
        let isFile = status.kind == .regular && status.identity.size > 0
        guard isFile || status.kind == .folder, !seen.contains(Place(status.identity)) else { return }
        guard bytes + path.bytes.count <= maxBytes else {
            return unreadable(path, "there are too many files: their paths have more than \(maxBytes >> 20) MiB together")
        }
        bytes += path.bytes.count
        seen.insert(Place(status.identity))
        if isFile {
            files.append(CorpusFile(path: path, status.identity))
        } else {
            waiting.append(Waiting(path: path, anchor: anchor))
        }
    }

    private mutating func isKernels(_ device: UInt64, _ handle: PathHandle) -> Bool {
        if let known = kernels[device] { return known }
        let isKernels = KernelFileSystem(of: handle) != nil
        kernels[device] = isKernels
        return isKernels
    }

    /// As above, for an entry that is not open yet.
    private mutating func isKernels(_ device: UInt64, _ name: [UInt8], in folder: PathHandle) -> Bool {
        if let known = kernels[device] { return known }
        guard let handle = try? PathHandle(RawPath(bytes: name), in: folder) else { return false }
        return isKernels(device, handle)
    }
}
