// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// A notice as a Detection Finding (class 2004) of the Open Cybersecurity Schema Framework.
public enum OCSFFinding {
    /// The version of the schema.
    public static let version = "1.5.0"

    /// The finding, in one line and without its end.
    public static func bytes(_ notice: Notice, from sender: NoticeSender) -> [UInt8] {
        let event = notice.event
        let activity = activity(event.kind)
        return JSONText.object([
            ("activity_id", .integer(activity.id)),
            ("activity_name", .string(activity.name)),
            ("category_uid", .integer(2)),
            ("category_name", .string("Findings")),
            ("class_uid", .integer(2004)),
            ("class_name", .string("Detection Finding")),
            ("type_uid", .integer(200_400 + activity.id)),
            ("type_name", .string("Detection Finding: \(activity.name)")),
            ("time", .integer(event.timeMilliseconds)),
            ("start_time", .integer(notice.firstMilliseconds)),
            ("end_time", .integer(event.timeMilliseconds)),
            ("count", .integer(Int64(notice.count))),
            ("severity_id", .integer(Int64(notice.severity.ocsf))),
            ("severity", .string(notice.severity.rawValue.prefix(1).uppercased() + notice.severity.rawValue.dropFirst())),
            ("message", .string(notice.message)),
            (
                "finding_info",
                .object([
                    // The finding is the signature, host or order that the events are about.
                    ("uid", .string(event.subject)),
                    ("title", .string(event.kind.title)),
                    ("desc", .string(event.detail)),
                    ("types", .array([.string(event.kind.rawValue)])),
                    ("first_seen_time", .integer(notice.firstMilliseconds)),
                    ("last_seen_time", .integer(event.timeMilliseconds)),
                ])
            ),
            (
                "metadata",
                .object([
                    ("uid", .string(notice.id)),
                    ("version", .string(version)),
                    ("event_code", .string(event.kind.rawValue)),
                    ("sequence", .integer(event.sequence)),
                    (
                        "product",
                        .object([
                            ("vendor_name", .string("Epitope")), ("name", .string("epitope \(sender.center)")),
                            ("version", .string(sender.version)),
                        ])
                    ),
                ])
            ),
            ("observables", observables(event)),
            (
                "unmapped",
                .object([
                    ("center_host", .string(sender.host)), ("group", .string(event.kind.group.rawValue)),
                    ("grade", event.grade.map { .string($0.rawValue) }), ("sid", event.sid.map { .integer(Int64($0)) }),
                    ("subjects", notice.count > 1 ? .texts(notice.subjects) : nil),
                ])
            ),
        ]).bytes
    }

    /// 1 create, 2 update, 3 close.
    private static func activity(_ kind: EventKind) -> (id: Int64, name: String) {
        switch kind {
        case .withdrawn, .removed, .expired, .superseded: (3, "Close")
        case .graded, .renumbered, .restored, .retried, .reinstated, .refused: (2, "Update")
        default: (1, "Create")
        }
    }

    /// Type 1 is a host's name, type 2 an IP address.
    private static func observables(_ event: NotifiedEvent) -> JSONText? {
        func observable(_ name: String, _ type: Int64, _ typeName: String, _ value: String) -> JSONText {
            .object([
                ("name", .string(name)), ("type_id", .integer(type)), ("type", .string(typeName)), ("value", .string(value)),
            ])
        }
        let found =
            event.hosts.map { observable("host", 1, "Hostname", $0) }
            + event.addresses.map { observable("address", 2, "IP Address", $0.description) }
        return found.isEmpty ? nil : .array(found)
    }
}
