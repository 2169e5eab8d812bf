import EpitopeModel
import Foundation

/// The regular files of folders, each once.
struct VerifyTree {
    struct File: Sendable {
        var path: String
        var size: Int
    }

    private struct Inode: Hashable {
        var device: UInt64
        var number: UInt64
    }

    private(set) var files: [File] = []
    /// Folders that can't be read, with the reason.
    private(set) var skipped: [VerifyReport.Skipped] = []
    private var seen: Set<Inode> = []

    /// - Throws: `search-path-missing` when a root isn't there. What can't be read below is kept in ``skipped``.
    init(_ roots: [String]) throws(EpitopeError) {
        for root in roots {
            // A root that is a link is what its user means; links below are not followed.
            let path = URL(fileURLWithPath: root).resolvingSymlinksInPath().path
            guard FileManager.default.fileExists(atPath: path) else {
                throw EpitopeError(.searchPathMissing, "\(root) is not there", remedy: "name a folder or file that is there")
            }
            take(path)
        }
    }

    private mutating func take(_ path: String) {
        // Folders wait on a list of their own: a deep tree costs no stack.
        var folders: [String] = []
        enter(path, &folders)
        while let folder = folders.popLast() {
            do {
                for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
                    enter(folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)", &folders)
                }
            } catch {
                skipped.append(.init(path: folder, reason: error.localizedDescription))
            }
        }
    }

    private mutating func enter(_ path: String, _ folders: inout [String]) {
        let attributes: [FileAttributeKey: Any]
        do {
            attributes = try FileManager.default.attributesOfItem(atPath: path)
        } catch {
            skipped.append(.init(path: path, reason: error.localizedDescription))
            return
        }
        func number(_ key: FileAttributeKey) -> UInt64 { (attributes[key] as? NSNumber)?.uint64Value ?? 0 }
        let kind = attributes[.type] as? FileAttributeType
        guard kind == .typeDirectory || kind == .typeRegular,
            seen.insert(Inode(device: number(.systemNumber), number: number(.systemFileNumber))).inserted
        else { return }
        if kind == .typeDirectory { folders.append(path) } else { files.append(File(path: path, size: Int(number(.size)))) }
    }
}
