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

    /// Folders of the kernel, which are not goodware: reading their files may not end, or have effects.
    private static let kernelFolders: Set<String> = ["/proc", "/sys", "/dev"]

    /// All regular files below the folders, each once even if it has several names, sorted by path. Symbolic links are not
    /// followed.
    ///
    /// - Parameter unreadable: called for each folder that can't be read, with the reason.
    static func below(_ folders: [String], unreadable: (String, String) -> Void) -> [CorpusFile] {
        struct Place: Hashable {
            var device: UInt64
            var inode: UInt64
        }
        var seen: Set<Place> = []
        var found: [CorpusFile] = []
        var waiting = folders
        while let path = waiting.popLast() {
            guard !kernelFolders.contains(path) else { continue }
            do throws(FileError) {
                let status = try FileStatus(path: path, followLinks: false)
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
