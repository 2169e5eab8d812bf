// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// A notice as a document with the field names of the Elastic Common Schema.
public enum ECSDocument {
    /// The version of the schema.
    public static let version = "8.11.0"

    /// The document, in one line and without its end.
    public static func bytes(_ notice: Notice, from sender: NoticeSender) -> [UInt8] {
        let event = notice.event
        let isAlert = event.kind.group == .attack || event.kind.group == .rule
        return JSONText.object([
            ("@timestamp", .string(Timestamp.text(event.timeMilliseconds))),
            ("message", .string(notice.message)),
            ("ecs", .object([("version", .string(version))])),
            (
                "event",
                .object([
                    ("kind", .string(isAlert && notice.severity >= .medium ? "alert" : "event")),
                    ("category", .array(category(event.kind.group).map { .string($0) })),
                    ("type", .array([.string(type(event.kind))])),
                    ("action", .string(event.kind.rawValue)),
                    ("module", .string("epitope")),
                    ("dataset", .string("epitope.events")),
                    ("provider", .string(sender.center)),
                    ("id", .string(notice.id)),
                    ("severity", .integer(Int64(notice.severity.ecs))),
                    ("sequence", .integer(event.sequence)),
                    ("start", .string(Timestamp.text(notice.firstMilliseconds))),
                    ("end", .string(Timestamp.text(event.timeMilliseconds))),
                    ("reason", .string(event.detail)),
                ])
            ),
            ("log", .object([("level", .string(notice.severity.rawValue))])),
            (
                "observer",
                .object([
                    ("vendor", .string("Epitope")), ("product", .string("epitope")), ("type", .string("ids")),
                    ("hostname", .string(sender.host)), ("version", .string(sender.version)),
                ])
            ),
            (
                "rule",
                event.sid.map {
                    .object([("id", .string("\($0)")), ("uuid", .string(event.subject)), ("ruleset", .string("epitope"))])
                }
            ),
            ("host", event.hosts.count == 1 ? .object([("name", .string(event.hosts[0]))]) : nil),
            (
                "related",
                event.hosts.isEmpty && event.addresses.isEmpty
                    ? nil : .object([("hosts", .texts(event.hosts)), ("ip", .texts(event.addresses.map(\.description)))])
            ),
            (
                "epitope",
                .object([
                    ("subject", .string(event.subject)), ("grade", event.grade.map { .string($0.rawValue) }),
                    ("count", .integer(Int64(notice.count))), ("subjects", notice.count > 1 ? .texts(notice.subjects) : nil),
                ])
            ),
        ]).bytes
    }

    /// Of the values that the schema allows for `event.category`.
    private static func category(_ group: EventKind.Group) -> [String] {
        switch group {
        case .packet, .attack, .rule: ["intrusion_detection"]
        case .identity: ["iam"]
        case .center: ["configuration"]
        case .agent: ["host", "package"]
        }
    }

    /// Of the values that the schema allows for `event.type`.
    private static func type(_ kind: EventKind) -> String {
        switch kind {
        case .delivered, .published, .tokenMade, .enrolled, .agentAdded, .authorityMade: "creation"
        case .removed, .withdrawn, .revoked, .expired, .pruned, .agentRemoved, .auditPruned: "deletion"
        case .restored, .superseded, .renumbered, .reinstated, .graded, .renewed, .trusted, .distrusted, .authorityRetired, .recovered,
            .agentUpdated, .agentReturned, .reconfigured, .linked, .unlinked, .pinned, .unpinned, .lifetimeChanged, .allowed, .disallowed:
            "change"
        case .refused, .retried, .unusable, .agentRefused, .noticesDropped: "error"
        default: "info"
        }
    }
}
