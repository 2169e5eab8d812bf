// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A statement that one kind of evidence doesn't count for somebody: why, and until when.
///
/// It never covers more than one kind, so that what exclusions a just-in-time compiler's calls through a library leaves its
/// direct calls blocked.
public struct Exclusion: Hashable, Sendable {
    /// Whom an exclusion is for.
    public enum Subject: Hashable, Sendable {
        /// The program at a path of the host; with a hash, only as long as the file has it.
        case executable(path: String, sha256: String?)
        /// The programs of an installed package.
        case package(String)
        /// A systemd unit of the machine, such as `app.service`, with all its processes.
        case unit(String)
        /// A container, by its id: 64 hexadecimal digits, or at least the first 12.
        case container(String)
        /// Processes whose real and effective user is this one, by name or number.
        case user(String)
    }

    public var subject: Subject
    public var evidence: EvidenceKind
    public var reason: String
    /// The last day on which it holds, in UTC.
    public var until: CalendarDay

    public init(subject: Subject, evidence: EvidenceKind, reason: String, until: CalendarDay) {
        self.subject = subject
        self.evidence = evidence
        self.reason = reason
        self.until = until
    }

    /// Whether that day is no later than its last.
    public func holds(on day: CalendarDay) -> Bool { day <= until }
}

extension Exclusion.Subject: CustomStringConvertible {
    public var description: String {
        switch self {
        case .executable(let path, nil): path
        case .executable(let path, let hash?): "\(path) (\(hash.prefix(12)))"
        case .package(let name): "package \(name)"
        case .unit(let name): "unit \(name)"
        case .container(let id): "container \(id.prefix(12))"
        case .user(let name): "user \(name)"
        }
    }
}
