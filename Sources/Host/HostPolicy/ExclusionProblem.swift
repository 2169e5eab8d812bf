// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel

/// Why an exclusion applies to nothing now, or soon.
public enum ExclusionProblem: Error, Hashable, Sendable, CustomStringConvertible {
    case ended(Exclusion)
    /// It applies, for so many days after today.
    case endsSoon(Exclusion, days: Int)
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
        case .ended(let exclusion): "the exclusion for \(exclusion.subject) ended on \(exclusion.until?.description ?? "")"
        case .endsSoon(let exclusion, let days):
            "the exclusion for \(exclusion.subject) ends on \(exclusion.until?.description ?? ""), \(Self.inWords(days)): give it another "
                + "\"until\", or such calls are denied again"
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

    private static func inWords(_ days: Int) -> String {
        switch days {
        case 0: "today"
        case 1: "tomorrow"
        default: "in \(days) days"
        }
    }

    /// What a status shows of problems that somebody should correct; `nil` where there are none.
    public static func summary(of problems: [ExclusionProblem]) -> EpitopeError? {
        guard let first = problems.first else { return nil }
        let more = problems.count == 1 ? "" : "; \(problems.count - 1) more need care"
        return EpitopeError(
            .exclusionNeedsCare, "\(first)\(more)", remedy: "epitope policy show lists them; correct the policy file and reload it")
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
