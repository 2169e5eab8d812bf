// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import Rendering
import Signatures

/// The rules that an IDS should have now.
public struct RuleSet: Hashable, Sendable {
    /// A rule that the IDS doesn't have yet.
    public struct Pending: Hashable, Sendable {
        /// The number of its delivery in the store.
        public var delivery: Int64
        public var rule: RuleAssignment
        /// The numbers of other rules in force whose place it takes.
        public var replaced: Set<UInt32> = []
    }

    /// The rules that the IDS has confirmed, without those that expired or were withdrawn since; sorted by sid.
    public var inForce: [RuleAssignment]
    /// The rules that have their quota and are to go live now, oldest first.
    public var pending: [Pending]
    /// The numbers of updates in force that can't be read. Their rules are missing in the lists.
    public var damaged: [Int64] = []
    /// Whether the IDS has confirmed exactly ``inForce``.
    public var isConfirmed: Bool

    /// The rules in force and some of the pending ones, which replace those of the same sid, and others; sorted by sid.
    public func rules(adding added: [Pending]) -> [RuleAssignment] {
        let replaced = Set(added.map(\.rule.sid)).union(added.flatMap(\.replaced))
        return (inForce.filter { !replaced.contains($0.sid) } + added.map(\.rule)).sorted { $0.sid < $1.sid }
    }

    /// Identifies a list of rules: equal digests, equal rules.
    ///
    /// - Parameter isDropping: whether rules drop that may: an update can be allowed to, or apply to the whole site, later than it was
    ///   made.
    static func digest(_ rules: [RuleAssignment], isDropping: Bool) -> String {
        rules.map { rule in
            let update = rule.update
            return name(of: rule) + (isDropping && update.mayDrop ? drops : "")
                + (update.support?.narrowedTo.map { narrowed + " " + $0.map(\.description).joined(separator: ",") } ?? "")
        }.joined(separator: " ")
    }

    /// The rules that were in the list of a digest, and neither drop nor apply as they did there: an update gets a higher grade, or its
    /// engine's answer, after its rule went out.
    static func reinstalled(_ rules: [RuleAssignment], since digest: String, isDropping: Bool) -> [RuleAssignment] {
        let known = Set(digest.split(separator: " ").map(String.init))
        return rules.filter { rule in
            let form = (isDropping && rule.update.mayDrop ? drops : "") + (rule.update.support?.narrowedTo == nil ? "" : narrowed)
            let name = name(of: rule)
            return !known.contains(name + form) && ["", drops, narrowed, drops + narrowed].contains { known.contains(name + $0) }
        }
    }

    /// For a person: whether a rule drops, and where.
    static func form(of rule: RuleAssignment, isDropping: Bool) -> String {
        (isDropping && rule.update.mayDrop ? "drops" : "alerts") + (rule.update.support?.narrowedTo == nil ? "" : " at its reporter")
    }

    private static let drops = ":drop"
    private static let narrowed = ":at"

    private static func name(of rule: RuleAssignment) -> String {
        "\(rule.sid):\(rule.update.signature.id):\(rule.update.revision):\(rule.update.createdMilliseconds)"
    }
}
