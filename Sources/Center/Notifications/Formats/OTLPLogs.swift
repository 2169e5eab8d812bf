// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// Notices as logs of OpenTelemetry: the body of a request of OTLP over HTTP in JSON (opentelemetry-proto, ExportLogsServiceRequest).
public enum OTLPLogs {
    /// The body of the request.
    ///
    /// - Parameter observedMilliseconds: when it is sent, since 1970.
    public static func body(_ notices: [Notice], from sender: NoticeSender, observedMilliseconds: Int64) -> [UInt8] {
        JSONText.object([
            (
                "resourceLogs",
                .array([
                    .object([
                        (
                            "resource",
                            .object([
                                (
                                    "attributes",
                                    .array([
                                        text("service.namespace", "epitope"), text("service.name", sender.center),
                                        text("service.version", sender.version), text("host.name", sender.host),
                                    ])
                                )
                            ])
                        ),
                        (
                            "scopeLogs",
                            .array([
                                .object([
                                    ("scope", .object([("name", .string("epitope.events")), ("version", .string(sender.version))])),
                                    ("logRecords", .array(notices.map { record($0, observedMilliseconds) })),
                                ])
                            ])
                        ),
                    ])
                ])
            )
        ]).bytes
    }

    private static func record(_ notice: Notice, _ observedMilliseconds: Int64) -> JSONText {
        let event = notice.event
        var attributes = [
            text("epitope.id", notice.id), text("epitope.group", event.kind.group.rawValue), text("epitope.subject", event.subject),
            number("epitope.sequence", event.sequence), number("epitope.count", Int64(notice.count)),
        ]
        if let grade = event.grade { attributes.append(text("epitope.grade", grade.rawValue)) }
        if let sid = event.sid { attributes.append(number("epitope.sid", Int64(sid))) }
        if !event.hosts.isEmpty { attributes.append(texts("epitope.hosts", event.hosts)) }
        if !event.addresses.isEmpty { attributes.append(texts("epitope.addresses", event.addresses.map(\.description))) }
        return .object([
            ("timeUnixNano", .string("\(event.timeMilliseconds)000000")),
            ("observedTimeUnixNano", .string("\(observedMilliseconds)000000")),
            ("severityNumber", .integer(Int64(notice.severity.openTelemetry))),
            ("severityText", .string(notice.severity.openTelemetryText)),
            ("eventName", .string("epitope.\(event.kind.rawValue)")),
            ("body", .object([("stringValue", .string(notice.message))])),
            ("attributes", .array(attributes)),
        ])
    }

    private static func text(_ key: String, _ value: String) -> JSONText {
        .object([("key", .string(key)), ("value", .object([("stringValue", .string(value))]))])
    }

    /// Numbers of 64 bits are texts in protobuf's JSON.
    private static func number(_ key: String, _ value: Int64) -> JSONText {
        .object([("key", .string(key)), ("value", .object([("intValue", .string("\(value)"))]))])
    }

    private static func texts(_ key: String, _ values: [String]) -> JSONText {
        .object([
            ("key", .string(key)),
            (
                "value",
                .object([("arrayValue", .object([("values", .array(values.map { .object([("stringValue", .string($0))]) }))]))])
            ),
        ])
    }
}
