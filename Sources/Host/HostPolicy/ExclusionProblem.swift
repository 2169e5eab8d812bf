// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking

/// Why an exclusion applies to nothing now.
public enum ExclusionProblem: Error, Hashable, Sendable, CustomStringConvertible {
    case ended(Exclusion)
    /// No such file, package, unit, container or user exists.
    case absent(Exclusion)
    case otherHash(Exclusion, found: String)
    /// The file can't be read, so its hash can't be compared.
    case unreadable(Exclusion)
    /// Users other than root may replace the file.
    case replaceable(Exclusion)
    /// This machine has no unified hierarchy of control groups.
    case noGroups(Exclusion)
    /// There are more files, groups and users than the kernel program has room for.
    case tooMany(Exclusion)

    public var description: String {
        switch self {
        case .ended(let exclusion): "the exclusion for \(exclusion.subject) ended on \(exclusion.until)"
        case .absent(let exclusion): "the exclusion for \(exclusion.subject) applies to nothing: it doesn't exist on this machine"
        case .otherHash(let exclusion, let found):
            "the exclusion for \(exclusion.subject) doesn't apply: the file's SHA-256 is \(found)"
        case .unreadable(let exclusion):
            "the exclusion for \(exclusion.subject) doesn't apply: the file can't be read"
        case .replaceable(let exclusion):
            "the exclusion for \(exclusion.subject) doesn't apply: users other than root may replace the file; "
                + (exclusion.subject.canBePinned ? "add its sha256, or correct its permissions" : "correct the permissions")
        case .noGroups(let exclusion):
            "the exclusion for \(exclusion.subject) doesn't apply: it needs control groups version 2, mounted"
        case .tooMany(let exclusion):
            "the exclusion for \(exclusion.subject) doesn't apply: more than \(ExclusionResolver.maxTargets) files, groups and users "
                + "are excluded"
        }
    }

    /// Whether somebody should correct it. An exclusion for something that isn't installed, or doesn't run, is fine.
    public var isActionable: Bool {
        if case .absent = self { false } else { true }
    }
}

extension Exclusion.Subject {
    /// Whether it is told by a hash, too, if that is given.
    fileprivate var canBePinned: Bool {
        if case .executable = self { true } else { false }
    }
}
