// SPDX-License-Identifier: Apache-2.0

/// Who may own and write the folders on the way to a file, so that nobody else can put another file in its place.
///
/// Access control lists need no rule of their own: where one lets other users write, the group's bits of the mode are its
/// mask (acl(5)) and show it.
public struct PathTrust: Hashable, Sendable {
    /// How a missing folder is treated.
    public enum Missing: Hashable, Sendable {
        case isRefused
        /// The last folder is made with these rights; those above it must be there.
        case lastIsMade(mode: UInt32)
        /// Each is made with these rights.
        case isMade(mode: UInt32)
    }

    /// The user who may own what lies on the way, besides root; `nil`: root alone may.
    public var owner: UInt32?
    /// Whether symbolic links are followed, if one of the owners made them. Else each is refused.
    public var followsLinks: Bool
    /// Whether everybody may write in a folder above the last one if it is sticky (`/tmp`): there others can't rename or remove
    /// what isn't theirs.
    public var allowsSticky: Bool
    public var missing: Missing

    public init(owner: UInt32? = nil, followsLinks: Bool, allowsSticky: Bool, missing: Missing = .isRefused) {
        self.owner = owner
        self.followsLinks = followsLinks
        self.allowsSticky = allowsSticky
        self.missing = missing
    }

    /// Why a path isn't trusted.
    public struct Fault: Error, Hashable, Sendable {
        /// Why the folder or file is not trusted.
        public enum Reason: Hashable, Sendable {
            case foreignOwner(UInt32)
            /// With the permission bits.
            case writableByOthers(UInt32)
            case isLink
            case tooManyLinks
            /// A step failed with this error: nothing is known of what lies there.
            case unusable(Step, FileError)
        }

        /// The step that failed.
        public enum Step: Hashable, Sendable {
            case inspect
            case open
            case make
            case follow
        }

        /// The folder, link or file that it is about.
        public var path: String
        /// Whether that is a symbolic link.
        public var isLink = false
        public var reason: Reason
    }

    /// The reason not to trust a folder or a file; `nil` if there is none.
    ///
    /// - Parameters:
    ///   - permissions: with the sticky bit.
    ///   - isLast: whether it is the folder that is asked about, or the file, and not a folder above it.
    func fault(owner: UInt32, permissions: UInt32, isLast: Bool) -> Fault.Reason? {
        guard isTrusted(owner) else { return .foreignOwner(owner) }
        guard permissions & 0o022 != 0 else { return nil }
        let isSticky = permissions & 0o1000 != 0
        return allowsSticky && isSticky && !isLast ? nil : .writableByOthers(permissions)
    }

    func isTrusted(_ owner: UInt32) -> Bool { owner == 0 || owner == self.owner }
}
