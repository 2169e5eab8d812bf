// SPDX-License-Identifier: Apache-2.0

/// What a site concluded from the evidence of its hosts, which had reached its threshold: it goes to the global center with the packets
/// that the site forwards. It is the site's own word, and counts there as one reporter's.
public struct SiteConclusion: Hashable, Sendable, Codable {
    /// What the evidence added up to within the site's window; from 1.
    public var points: Int
    /// The hosts that brought it, told apart as the site does; from 1.
    public var hosts: Int
    /// What the site held it to be.
    public var grade: EvidenceGrade

    public init(points: Int, hosts: Int, grade: EvidenceGrade) {
        self.points = points
        self.hosts = hosts
        self.grade = grade
    }

    /// For a person.
    public var summary: String { "\(points) points of \(hosts) \(hosts == 1 ? "host" : "hosts"), \(grade.rawValue)" }
}
