// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A rule of the policy that one kind of evidence doesn't count for a subject, with the reason and the last day.
/// Those that come with Epitope have none: they go when a later version leaves them out, and no installed one begins to deny an
/// ordinary program's calls on some day by itself.
///
/// It never covers more than one kind, so that an exclusion for a just-in-time compiler's calls through a library leaves its
/// direct calls blocked.
public struct Exclusion: Hashable, Sendable {
    /// What an exclusion applies to.
    public enum Subject: Hashable, Sendable {
        /// The program at a path of the host; with a hash, only while the file has that hash.
        case executable(path: String, sha256: String?)
        /// The program at a path of the host, in processes that have mapped a library as code: a compiler that programs of an
        /// interpreter load.
        case library(path: String, executable: String)
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
    /// The kind of evidence that doesn't count; `nil`: calls are allowed although the process can't be inspected
    /// (``Policy/uninspectable``).
    public var evidence: EvidenceKind?
    public var reason: String
    /// The last day on which the exclusion applies, in UTC; `nil`: as long as the version of Epitope that it comes with is installed.
    public var until: CalendarDay?

    /// What an exclusion without a kind of evidence is called in a policy file.
    public static let uninspectable = "uninspectable"

    public init(subject: Subject, evidence: EvidenceKind?, reason: String, until: CalendarDay?) {
        self.subject = subject
        self.evidence = evidence
        self.reason = reason
        self.until = until
    }

    /// The kind of evidence as a policy file has it.
    public var matter: String { evidence?.rawValue ?? Self.uninspectable }

    /// Whether the exclusion applies on a day.
    public func holds(on day: CalendarDay) -> Bool { until.map { day <= $0 } ?? true }

    /// In how many days an exclusion that applies on a day ends, where that is soon: two weeks before.
    public func daysLeft(on day: CalendarDay) -> Int? {
        guard let until, holds(on: day) else { return nil }
        let days = Int(until.daysSince1970 - day.daysSince1970)
        return days <= Self.warningDays ? days : nil
    }

    private static let warningDays = 14

    /// Until when it applies, after "is excluded".
    public var term: String { until.map { "until \($0)" } ?? "as long as this version of Epitope is installed" }
}

extension Exclusion.Subject: CustomStringConvertible {
    public var description: String {
        switch self {
        case .executable(let path, nil): path
        case .executable(let path, let hash?): "\(path) (\(hash.prefix(12)))"
        case .library(let path, let executable): "\(executable) with \(path)"
        case .package(let name): "package \(name)"
        case .unit(let name): "unit \(name)"
        case .container(let id): "container \(id.prefix(12))"
        case .user(let name): "user \(name)"
        }
    }
}
