// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel

extension EpitopeError.Code {
    /// An event does not say enough for an exclusion, or its evidence is of a kind that has to be named.
    public static let eventNotExcludable = EpitopeError.Code("event-not-excludable")
}

/// The exclusions that would let a detected call pass: one for each kind of its evidence that counts.
public enum ExclusionProposal {
    /// What an exclusion is bound to.
    public enum Subject: String, CaseIterable, Sendable {
        /// The executable, as long as its file has the hash that it had.
        case hash
        /// The executable's path, whatever is there.
        case path
        case package
        case container
        case user
    }

    /// How long an exclusion applies if nothing else is asked for, in days.
    public static let defaultDays = 90

    /// - Parameters:
    ///   - kinds: the kinds of evidence to exclude; empty: all of the event that are worth a report. Code that sends itself is
    ///     what worms are: it has to be named.
    ///   - reportAt: the policy's (``Policy/reportAt``).
    /// - Throws: `event-not-excludable`.
    public static func exclusions(
        for event: HostEvent, by subject: Subject, kinds: [EvidenceKind] = [], reportAt: Int, reason: String, until: CalendarDay
    ) throws(EpitopeError) -> [Exclusion] {
        let seen = (event.evidence ?? []).compactMap(EvidenceKind.init(rawValue:))
        var wanted = kinds
        if wanted.isEmpty {
            wanted = seen.filter { event.points(of: $0) >= reportAt }
            guard !wanted.contains(.sendsItself) else {
                throw refusal(
                    "the code of this event sends itself, as worms do",
                    "name each kind if you are sure: " + wanted.map { "--evidence \($0.rawValue)" }.joined(separator: " "))
            }
        }
        guard !wanted.isEmpty else {
            throw refusal(
                "the event names no evidence that is worth a report", "write the exclusion by hand: Documentation/Operating/Policy.md")
        }
        if let other = wanted.first(where: { !seen.contains($0) }) {
            throw refusal(
                "the event has no evidence of the kind \(other.rawValue)",
                "name one of its own: \(seen.map(\.rawValue).joined(separator: ", "))")
        }
        let named = try self.subject(of: event, by: subject)
        return wanted.map { Exclusion(subject: named, evidence: $0, reason: reason, until: until) }
    }

    private static func subject(of event: HostEvent, by subject: Subject) throws(EpitopeError) -> Exclusion.Subject {
        switch subject {
        case .hash:
            guard let path = event.executable, path.hasPrefix("/"), let hash = event.sha256 else {
                throw refusal(
                    "the event has no hash of its program", "bind the exclusion to something else: --by path, package, container or user")
            }
            return .executable(path: path, sha256: hash)
        case .path:
            guard let path = event.executable, path.hasPrefix("/"), !path.hasSuffix(" (deleted)") else {
                throw refusal(
                    "the event names no program that is still there",
                    "bind the exclusion to something else: --by package, container or user")
            }
            return .executable(path: path, sha256: nil)
        case .package:
            guard let package = event.package else {
                throw refusal(
                    "the event names no package of its program", "bind the exclusion to something else: --by hash, path, container or user")
            }
            return .package(package)
        case .container:
            guard let container = event.container, container.utf8.count == 64 else {
                throw refusal("the event names no container's id", "bind the exclusion to something else: --by hash, path, package or user")
            }
            return .container(container)
        case .user:
            // A container's name for a user may be another user's on the machine, for whom policy would take it.
            guard let user = (event.container == nil ? event.user : nil) ?? event.userID.map(String.init) else {
                throw refusal("the event names no user", "bind the exclusion to something else: --by hash, path, package or container")
            }
            return .user(user)
        }
    }

    private static func refusal(_ message: String, _ remedy: String) -> EpitopeError {
        EpitopeError(.eventNotExcludable, message, remedy: remedy)
    }
}
