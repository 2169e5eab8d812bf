// SPDX-License-Identifier: Apache-2.0

import Signatures

/// How much a person's attention is asked for.
public enum Severity: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
    case informational
    case low
    case medium
    case high
    case critical

    /// From 0 (informational) to 4 (critical).
    public var level: Int {
        switch self {
        case .informational: 0
        case .low: 1
        case .medium: 2
        case .high: 3
        case .critical: 4
        }
    }

    public static func < (one: Self, other: Self) -> Bool { one.level < other.level }

    /// The severity of an attack by what it rests on.
    static func of(_ grade: EvidenceGrade) -> Severity {
        switch grade {
        case .reported: .medium
        case .corroborated: .high
        case .confirmed: .critical
        }
    }

    /// RFC 5424, 6.2.1: 2 critical, 3 error, 4 warning, 5 notice, 6 informational.
    var syslog: Int { 6 - level }

    /// From 0 to 10, in CEF's words: 0 to 3 low, 4 to 6 medium, 7 and 8 high, 9 and 10 very high.
    var cef: Int { [0, 3, 5, 8, 10][level] }

    /// From 0 to 100, as Elastic's detection rules count.
    var ecs: Int { [1, 21, 47, 73, 99][level] }

    /// The number of OpenTelemetry's logs: 9 info, 10 info2, 13 warn, 17 error, 21 fatal.
    var openTelemetry: Int { [9, 10, 13, 17, 21][level] }

    /// OpenTelemetry's short name of that range.
    var openTelemetryText: String { ["INFO", "INFO2", "WARN", "ERROR", "FATAL"][level] }

    /// OCSF's severity_id: 1 informational to 5 critical.
    var ocsf: Int { level + 1 }
}
