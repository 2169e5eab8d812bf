// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

/// One event of a center's audit trail, with what is known of what it is about. Its texts hold no control characters, however they came:
/// names of processes and hosts are others' words.
public struct NotifiedEvent: Hashable, Sendable, Codable {
    /// Its number in the audit trail; 0: it is of none.
    public var sequence: Int64
    /// Since 1970-01-01T00:00:00Z, by the center's clock.
    public var timeMilliseconds: Int64
    public var kind: EventKind
    /// The id of the packet or signature, or the name, that it is about.
    public let subject: String
    public let detail: String
    /// What the evidence of the signature is worth; `nil`: it is about none, or that isn't known.
    public var grade: EvidenceGrade?
    /// The number of the rule.
    public var sid: UInt32?
    /// The hosts that it is about, at most ``maxHosts``.
    public let hosts: [String]
    /// Their addresses, as far as they are known.
    public let addresses: [IPAddress]

    /// Of a text, in characters.
    public static let maxDetail = 1000
    /// Of a name, in characters.
    public static let maxName = 200
    /// Hosts and addresses of an event.
    public static let maxHosts = 16

    public init(
        sequence: Int64, timeMilliseconds: Int64, kind: EventKind, subject: String, detail: String, grade: EvidenceGrade? = nil,
        sid: UInt32? = nil, hosts: [String] = [], addresses: [IPAddress] = []
    ) {
        self.sequence = sequence
        self.timeMilliseconds = timeMilliseconds
        self.kind = kind
        self.subject = VisibleText.line(subject, maxLength: Self.maxName)
        self.detail = VisibleText.line(detail, maxLength: Self.maxDetail)
        self.grade = grade
        self.sid = sid
        self.hosts = hosts.prefix(Self.maxHosts).map { VisibleText.line($0, maxLength: Self.maxName) }
        self.addresses = Array(addresses.prefix(Self.maxHosts))
    }

    /// How severe it is: an attack's by its grade.
    public var severity: Severity {
        guard kind.isGraded, let grade else { return kind.severity }
        return max(.of(grade), kind.severity == .high ? .high : .informational)
    }
}

/// Texts of others, made harmless for whatever shows them line by line.
enum VisibleText {
    /// One line: control characters, line ends and what turns the direction of text are written as `\u{A}`; a longer text is cut.
    static func line(_ text: String, maxLength: Int) -> String {
        var line = ""
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < maxLength else { return line + "…" }
            count += 1
            if isInvisible(scalar) {
                line += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            } else {
                line.unicodeScalars.append(scalar)
            }
        }
        return line
    }

    /// Controls (C0, DEL, C1), separators of lines and paragraphs, formats (direction marks, zero-width ones, tags), and what is no text.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        default: false
        }
    }
}
