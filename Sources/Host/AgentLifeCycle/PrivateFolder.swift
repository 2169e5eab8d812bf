// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Glibc

/// A folder that only root and the agent's own user can put anything in, or put something else in the place of: so is every
/// folder above it, so that its path can be used later on without being looked at again.
public struct PrivateFolder: Sendable {
    /// Without symbolic links.
    public let path: String

    /// Walks to the folder from the root on; what is missing is made, with mode 0700. Symbolic links are followed where root or
    /// the agent's user made them; above the folder, a sticky folder such as `/tmp` will do.
    ///
    /// - Throws: `folder-not-private`, `folder-unusable`.
    public init(_ path: String) throws(EpitopeError) {
        do {
            self.path = try TrustedFolder(
                path, PathTrust(owner: geteuid(), followsLinks: true, allowsSticky: true, missing: .isMade(mode: 0o700))
            ).path
        } catch {
            throw .of(error)
        }
    }
}

extension EpitopeError {
    fileprivate static func of(_ fault: PathTrust.Fault) -> EpitopeError {
        let what = fault.isLink ? "the symbolic link \(fault.path)" : "the folder \(fault.path)"
        let remedy = "choose a folder that belongs to root, as do all above it, or"
        let path = fault.path
        switch fault.reason {
        case .foreignOwner(let owner):
            return EpitopeError(
                .folderNotPrivate, "\(what) belongs to user \(owner), who could replace the agent's files",
                remedy: "\(remedy): chown root:root \(path)")
        case .writableByOthers(let permissions):
            return EpitopeError(
                .folderNotPrivate, "\(what) is writable by users other than its owner (mode \(String(permissions, radix: 8)))",
                remedy: "\(remedy): chmod go-w \(path)")
        case .isLink, .tooManyLinks:
            return unusable(path, "there are too many symbolic links", .system(ELOOP))
        case .unusable(let step, let error):
            let what =
                switch step {
                case .inspect: "it can't be looked at"
                case .open: "it can't be opened"
                case .make: "it can't be made"
                case .follow: "it can't be followed"
                }
            return unusable(path, what, error)
        }
    }

    private static func unusable(_ path: String, _ what: String, _ cause: FileError) -> EpitopeError {
        EpitopeError(
            .folderUnusable, "the folder \(path) can't be used: \(what) (\(cause))",
            remedy: "check that it is a folder, that the disk has space, and that its file system is writable")
    }
}
