// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import SettingsFiles

/// A policy file: JSON; every key may be left out.
///
///     {
///       "action": "block",
///       "exclusions": [
///         { "package": "luajit", "evidence": "library-call-from-unbacked-memory",
///           "reason": "compiled code calls the C library by FFI", "until": "2027-06-30" }
///       ]
///     }
public struct PolicyDocument: Hashable, Sendable, Decodable {
    /// What is done about a call whose evidence reaches ``blockAt``.
    public var action: Policy.Action?
    /// A call is acted upon when its strongest evidence has at least this many points.
    public var blockAt: Int?
    /// A call is reported when its strongest evidence has at least this many points.
    public var reportAt: Int?
    /// What is done about a call whose process can't be inspected.
    public var uninspectable: Policy.Uninspectable?
    /// What is done about calls of a command that reach into processes outside of it (`epitope run`).
    public var otherProcesses: Policy.OtherProcesses?
    /// What is said of single applications of behaviour blocking.
    public var applications: [BlockingApplication: ApplicationPolicy]
    /// Whether the built-in exclusions apply.
    public var builtInExclusions: Bool?
    /// The exclusions, each of one kind of evidence for one subject; at most 1,000.
    public var exclusions: [Exclusion]

    /// How many exclusions a file may have. Each may apply to many files or groups, of which ``ExclusionResolver/maxTargets``
    /// are possible.
    public static let maxExclusions = 1000
    /// The range of weights, in points.
    private static let points = 1...100

    enum CodingKeys: String, CodingKey, CaseIterable {
        case action, blockAt, reportAt, uninspectable, otherProcesses, applications, builtInExclusions, exclusions
    }

    public init(from decoder: any Decoder) throws {
        try ConfigurationFile.refuseUnknown(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let values = try decoder.container(keyedBy: CodingKeys.self)
        action = try ConfigurationFile.choice(Policy.Action.self, in: values, forKey: .action)
        blockAt = try values.decodeIfPresent(Int.self, forKey: .blockAt)
        reportAt = try values.decodeIfPresent(Int.self, forKey: .reportAt)
        uninspectable = try ConfigurationFile.choice(Policy.Uninspectable.self, in: values, forKey: .uninspectable)
        otherProcesses = try ConfigurationFile.choice(Policy.OtherProcesses.self, in: values, forKey: .otherProcesses)
        builtInExclusions = try values.decodeIfPresent(Bool.self, forKey: .builtInExclusions)
        applications = [:]
        if values.contains(.applications) { applications = try values.decode(Applications.self, forKey: .applications).policies }
        exclusions = []
        if values.contains(.exclusions) {
            var list = try values.nestedUnkeyedContainer(forKey: .exclusions)
            if let count = list.count, count > Self.maxExclusions {
                throw SettingsProblemAt([CodingKeys.exclusions], Self.tooMany(count))
            }
            while !list.isAtEnd {
                let item = list.codingPath + [Item(list.currentIndex)]
                do {
                    exclusions.append(try list.decode(Entry.self).exclusion)
                } catch let error as EpitopeError {
                    throw SettingsProblemAt(item, error)
                }
                if exclusions.count > Self.maxExclusions { throw Self.tooMany(exclusions.count) }
            }
        }
        for (key, value) in [(CodingKeys.blockAt, blockAt), (.reportAt, reportAt)] {
            guard let value, !Self.points.contains(value) else { continue }
            throw SettingsProblemAt(
                [key], EpitopeError(.policyInvalid, "'\(key.rawValue)' is \(value)", remedy: "set it to 1 to 100 points"))
        }
    }

    private static func tooMany(_ count: Int) -> EpitopeError {
        EpitopeError(
            .policyInvalid, "there are \(count) exclusions", remedy: "keep to \(maxExclusions): exclude a package instead of its files")
    }

    /// An item of a list, by its place in it.
    private struct Item: CodingKey {
        let intValue: Int?
        var stringValue: String { intValue.map(String.init) ?? "" }

        init(_ index: Int) { intValue = index }

        init?(intValue: Int) { self.init(intValue) }

        init?(stringValue: String) { nil }
    }

    /// An exclusion as a file states it.
    private struct Entry: Decodable {
        var exclusion: Exclusion

        enum CodingKeys: String, CodingKey, CaseIterable {
            case executable, library, sha256, package, unit, container, user, evidence, reason, until
        }

        init(from decoder: any Decoder) throws {
            try ConfigurationFile.refuseUnknown(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
            let values = try decoder.container(keyedBy: CodingKeys.self)
            func text(_ key: CodingKeys) throws -> String? {
                let text = try values.decodeIfPresent(String.self, forKey: key)
                guard text?.isEmpty != true else { throw Self.invalid("'\(key.rawValue)' is empty", "leave it out, or give it a value") }
                return text
            }
            let hash = try text(.sha256)
            var subjects: [Exclusion.Subject] = []
            let library = try text(.library)
            if let path = try text(.executable) {
                subjects.append(library.map { .library(path: $0, executable: path) } ?? .executable(path: path, sha256: hash?.lowercased()))
            } else if library != nil {
                throw Self.invalid("an exclusion names a library without a program", "name the 'executable' that loads it, too")
            }
            if let name = try text(.package) { subjects.append(.package(name)) }
            if let name = try text(.unit) { subjects.append(.unit(name)) }
            if let id = try text(.container) { subjects.append(.container(id.lowercased())) }
            if let name = try text(.user) { subjects.append(.user(name)) }
            guard let subject = subjects.first, subjects.count == 1 else {
                throw Self.invalid(
                    "an exclusion names \(subjects.isEmpty ? "no subject" : subjects.map(\.description).joined(separator: " and "))",
                    "name one of executable, package, unit, container or user in each exclusion")
            }
            try Self.check(subject, hash)
            let evidence = try values.decode(String.self, forKey: .evidence)
            let kind = EvidenceKind(rawValue: evidence)
            guard kind != nil || evidence == Exclusion.uninspectable else {
                throw Self.invalid(
                    "the exclusion for \(subject) is for '\(evidence)', which isn't a kind of evidence",
                    "use one of \((EvidenceKind.allCases.map(\.rawValue) + [Exclusion.uninspectable]).joined(separator: ", "))")
            }
            guard let reason = try text(.reason) else {
                throw Self.invalid("the exclusion for \(subject) has no reason", "set \"reason\", for the next reader")
            }
            let form = "set the last day on which it applies, as year, month and day: \"until\": \"2027-06-30\""
            guard let end = try text(.until) else { throw Self.invalid("the exclusion for \(subject) has no end", form) }
            guard let until = CalendarDay(end) else {
                throw Self.invalid("the exclusion for \(subject) ends on '\(end)', which isn't a day of that form", form)
            }
            exclusion = Exclusion(subject: subject, evidence: kind, reason: reason, until: until)
        }

        private static func check(_ subject: Exclusion.Subject, _ hash: String?) throws {
            if let hash {
                guard case .executable = subject else {
                    throw invalid("the exclusion for \(subject) has a sha256", "set sha256 for an executable without a library only")
                }
                guard hash.utf8.count == 64, isHexadecimal(hash.lowercased()) else {
                    throw invalid("the sha256 of \(subject) isn't a SHA-256", "set it to 64 hexadecimal digits (sha256sum prints them)")
                }
            }
            switch subject {
            case .executable(let path, _) where !path.hasPrefix("/"):
                throw invalid("the executable '\(path)' isn't an absolute path", "begin it with /")
            case .library(let path, let executable) where !path.hasPrefix("/") || !executable.hasPrefix("/"):
                throw invalid("'\(executable)' or '\(path)' isn't an absolute path", "begin both with /")
            case .package(let name) where name.contains("/") || name.hasPrefix("-"), .unit(let name) where name.contains("/"):
                throw invalid("'\(name)' isn't the name of a package or unit", "use the name alone")
            case .container(let id) where !(12...64).contains(id.utf8.count) || !isHexadecimal(id):
                throw invalid("'\(id)' isn't a container's id", "use its 64 hexadecimal digits, or at least the first 12")
            default: break
            }
        }

        private static func isHexadecimal(_ text: String) -> Bool {
            text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        }

        private static func invalid(_ message: String, _ remedy: String) -> EpitopeError {
            EpitopeError(.policyInvalid, message, remedy: remedy)
        }
    }
}
