// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// How far a report is more than one machine's word, which may be an intruder's.
public enum EvidenceGrade: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
    /// One reporter's word.
    case reported
    /// Several reporters say the same, or the code crossed the network as captures of the site show.
    case corroborated
    /// So many reporters say the same that it is no longer doubted.
    case confirmed

    public static func < (one: Self, other: Self) -> Bool {
        allCases.firstIndex(of: one)! < allCases.firstIndex(of: other)!
    }
}

/// What an update rests on, as far as it was known when the update was made or its grade last changed.
public struct EvidenceSupport: Hashable, Sendable, Codable {
    public var grade: EvidenceGrade
    /// The reporters of its cluster.
    public var reporters: Int
    /// What their evidence added up to within the threshold's window.
    public var points: Int
    /// The points at which evidence is an attack.
    public var threshold: Int
    /// The ids of the newest packets of its cluster, a few.
    public var packets: [String]
    /// Whether evidence of this grade is enough for a rule that drops.
    public var isEnoughToDrop: Bool
    /// The addresses to which its rules are narrowed, those that the reporter's connections came from: one host's word is about that
    /// host. `nil`: its rules are for the whole site.
    public var narrowedTo: [IPAddress]?

    public init(
        grade: EvidenceGrade, reporters: Int, points: Int, threshold: Int, packets: [String], isEnoughToDrop: Bool,
        narrowedTo: [IPAddress]? = nil
    ) {
        self.grade = grade
        self.reporters = reporters
        self.points = points
        self.threshold = threshold
        self.packets = packets
        self.isEnoughToDrop = isEnoughToDrop
        self.narrowedTo = narrowedTo
    }

    /// For a person.
    public var summary: String {
        "\(grade.rawValue): \(reporters) \(reporters == 1 ? "reporter" : "reporters"), \(points) of \(threshold) points"
            + (isEnoughToDrop ? "" : ", alert only")
            + (narrowedTo.map { ", at \($0.map(\.description).joined(separator: " and "))" } ?? "")
    }
}
