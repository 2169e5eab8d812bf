// SPDX-License-Identifier: Apache-2.0

/// What one destination is told at once: an event, or the repeats of one kind within a window.
public struct Notice: Hashable, Sendable, Codable {
    /// The same however often it is sent: by it a receiver knows what it had before.
    public var id: String
    /// Of several, the last.
    public private(set) var event: NotifiedEvent
    /// How many events it stands for.
    public private(set) var count: Int
    /// When the first of them was, since 1970.
    public private(set) var firstMilliseconds: Int64
    /// The greatest of theirs.
    public private(set) var severity: Severity
    /// What the first of several were about, at most ``maxSubjects``.
    public private(set) var subjects: [String]

    /// Subjects of several events that are named.
    public static let maxSubjects = 10

    public init(id: String, event: NotifiedEvent) {
        self.id = id
        self.event = event
        count = 1
        firstMilliseconds = event.timeMilliseconds
        severity = event.severity
        subjects = [event.subject]
    }

    /// Has it stand for another event, too.
    public mutating func add(_ other: NotifiedEvent) {
        count += 1
        severity = max(severity, other.severity)
        firstMilliseconds = min(firstMilliseconds, other.timeMilliseconds)
        if subjects.count < Self.maxSubjects, !subjects.contains(other.subject) { subjects.append(other.subject) }
        event = other
    }

    /// What happened, in one line.
    var headline: String { count == 1 ? event.kind.title : "\(event.kind.title) (\(count) times)" }

    /// What it says, in one line: for formats that have a text beside their fields.
    var message: String {
        guard count > 1 else { return "\(headline): \(event.subject): \(event.detail)" }
        let rest = subjects.count < count ? ", ..." : ""
        return "\(headline) since \(Timestamp.text(firstMilliseconds)): \(subjects.joined(separator: ", "))\(rest): \(event.detail)"
    }
}

/// Who tells.
public struct NoticeSender: Hashable, Sendable {
    /// `local-center` or `global-center`.
    public var center: String
    /// The machine's name.
    public var host: String
    /// The program's version.
    public var version: String

    public init(center: String, host: String, version: String) {
        self.center = center
        self.host = host
        self.version = version
    }
}
