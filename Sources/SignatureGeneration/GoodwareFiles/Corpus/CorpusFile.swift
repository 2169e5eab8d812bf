// SPDX-License-Identifier: Apache-2.0

import FileAccess

/// A regular file of the corpus in one state: a file that changed differs in at least one property.
struct CorpusFile: Hashable, Sendable {
    var path: String
    var size: UInt64
    /// In nanoseconds since 1970.
    var modified: Int64
    var device: UInt64
    var inode: UInt64

    init(path: String, size: UInt64, modified: Int64, device: UInt64, inode: UInt64) {
        self.path = path
        self.size = size
        self.modified = modified
        self.device = device
        self.inode = inode
    }

    /// `nil` if it is not a regular file.
    init?(_ path: String) {
        guard let status = try? FileStatus(path: path, followLinks: false), status.kind == .regular else { return nil }
        self.init(path: path, status.identity)
    }

    private init(path: String, _ identity: FileIdentity) {
        self.init(
            path: path, size: UInt64(identity.size),
            modified: identity.modified.seconds &* 1_000_000_000 &+ identity.modified.nanoseconds,
            device: identity.device, inode: identity.inode)
    }

    /// All regular files below the folders, each once even if it has several names, sorted by path. Symbolic links are not
    /// followed, and file systems of the kernel are passed over wherever they are mounted (``FileAccess/KernelFileSystem``).
    ///
    /// - Parameter unreadable: called for each folder that can't be read, and for each of the folders that is the kernel's,
    ///   with the reason.
    static func below(_ folders: [String], unreadable: (String, String) -> Void) -> [CorpusFile] {
        struct Place: Hashable {
            var device: UInt64
            var inode: UInt64
        }
        var seen: Set<Place> = []
        var found: [CorpusFile] = []
        var waiting = folders
        // By device: whether its file system is one of the kernel's.
        var kernels: [UInt64: Bool] = [:]
        while let path = waiting.popLast() {
            do throws(FileError) {
                let status = try FileStatus(path: path, followLinks: false)
                let device = status.identity.device
                let isKernels = kernels[device] ?? (KernelFileSystem(ofPath: path) != nil)
                kernels[device] = isKernels
                guard !isKernels else {
                    if folders.contains(path) { unreadable(path, "the kernel makes up what is in it") }
                    continue
                }
                let place = Place(device: status.identity.device, inode: status.identity.inode)
                switch status.kind {
                case .regular where status.identity.size > 0:
                    if seen.insert(place).inserted { found.append(CorpusFile(path: path, status.identity)) }
                case .folder where seen.insert(place).inserted:
                    waiting += try Folders.names(path).map { path == "/" ? "/" + $0 : path + "/" + $0 }
                default: break
                }
            } catch {
                unreadable(path, error.description)
            }
        }
        return found.sorted { $0.path < $1.path }
    }
}
