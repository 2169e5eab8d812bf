// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import Signatures

/// A STIX 2.1 bundle of indicators, and of the identity that made them. An indicator's pattern matches the signature in the data
/// that one side of a flow sent, or if nothing is known of the flow, in any artifact.
///
/// The pattern matches bytes by a regular expression over `payload_bin`, as the STIX 2.1 specification shows it
/// (section 9.8, "Match on an artifact's payload").
public enum StixRendering: SignatureRendering {
    /// The namespace of the identifiers, so that indicators of the same signature have the same identifier everywhere.
    static let namespace: [UInt8] = [0x5e, 0x0d, 0x2c, 0x41, 0x9b, 0x77, 0x4f, 0x0e, 0x8a, 0x35, 0xc1, 0x6d, 0x90, 0x4b, 0x27, 0xe8]

    /// The largest count that PCRE accepts.
    static let maxRepeat = 65535

    /// An indicator's name, before the signature's id.
    static let namePrefix = "Epitope signature "

    private struct Indicator: Encodable {
        let type = "indicator"
        let spec_version = "2.1"
        let id, created_by_ref, created, modified, name, description, pattern: String
        let indicator_types = ["malicious-activity"]
        let pattern_type = "stix"
        let valid_from, valid_until: String
    }

    private struct Identity: Encodable {
        let type = "identity"
        let spec_version = "2.1"
        let id: String
        let created = Self.since
        let modified = Self.since
        let name = "Epitope"
        let description = "Makes signatures of code that was caught in the act."
        let identity_class = "system"

        /// The same object everywhere: it never changes.
        private static let since = "2026-01-01T00:00:00.000Z"
    }

    private enum Object: Encodable {
        case identity(Identity)
        case indicator(Indicator)

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .identity(let identity): try identity.encode(to: encoder)
            case .indicator(let indicator): try indicator.encode(to: encoder)
            }
        }
    }

    private struct Bundle: Encodable {
        let type = "bundle"
        let id: String
        let objects: [Object]
    }

    /// The identity that all indicators refer to as their maker.
    static let identity = "identity--\(identifier(of: "epitope"))"

    /// A bundle with one indicator.
    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        try file(of: [subject])
    }

    /// One bundle with all indicators. The same indicators give the same bundle.
    public static func file(of subjects: [RuleInput]) throws(EpitopeError) -> String {
        var indicators: [Indicator] = []
        for subject in subjects { indicators.append(try indicator(of: subject)) }
        let name = indicators.map { "\($0.id) \($0.modified)" }.joined(separator: " ")
        let bundle = Bundle(
            id: "bundle--\(identifier(of: name))", objects: [.identity(Identity(id: identity))] + indicators.map { .indicator($0) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(bundle) else {
            throw EpitopeError(
                .signatureUnrenderable, "the indicators can't be encoded as JSON",
                remedy: "make the signatures again from the packets of their clusters")
        }
        return String(decoding: data, as: UTF8.self)
    }

    private static func indicator(of subject: RuleInput) throws(EpitopeError) -> Indicator {
        let created = CalendarTime(ofMilliseconds: subject.createdMilliseconds).description
        return Indicator(
            id: "indicator--\(identifier(of: subject.signature.id))", created_by_ref: identity, created: created, modified: created,
            name: namePrefix + subject.signature.id, description: RuleMessage.printable(subject.message),
            pattern: try pattern(of: subject.signature), valid_from: created,
            valid_until: CalendarTime(
                ofMilliseconds: max(subject.expiresMilliseconds, subject.createdMilliseconds.addingReportingOverflow(1).partialValue)
            ).description)
    }

    /// RFC 9562, version 5: SHA-1 over the namespace and the name.
    static func identifier(of name: String) -> String {
        var bytes = Array(Insecure.SHA1.hash(data: namespace + Array(name.utf8)).prefix(16))
        bytes[6] = bytes[6] & 0x0f | 0x50
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = Array(Hex.encode(bytes))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    /// The observation: `[network-traffic:... AND ...]` or `[artifact:payload_bin MATCHES '...']`; one for each part of the
    /// context, joined by OR.
    static func pattern(of signature: Signature) throws(EpitopeError) -> String {
        var observations: [String] = []
        for part in signature.context.parts { observations.append(try observation(of: signature, in: part)) }
        return observations.joined(separator: observationSeparator)
    }

    /// Between observations that each suffice.
    static let observationSeparator = " OR "

    private static func observation(of signature: Signature, in context: SignatureContext) throws(EpitopeError) -> String {
        if let buffer = context.buffer {
            throw RenderedRun.unrenderable(signature, "it is searched in \(buffer.title), and a payload of STIX is the traffic as it is")
        }
        var terms: [String] = []
        var payload = "artifact:payload_bin"
        if let transport = context.transport, transport != .other, context.direction != .any {
            // The source of a flow is the side that opened it: an attacked service is the destination, and so is a peer
            // that attacks.
            payload = "network-traffic:\(context.direction == .toService ? "src" : "dst")_payload_ref.payload_bin"
            terms.append("network-traffic:protocols[*] = '\(transport.rawValue)'")
            if !context.ports.isEmpty {
                terms.append("network-traffic:dst_port IN (\(Set(context.ports).sorted().map(String.init).joined(separator: ", ")))")
            }
        }
        terms += try expressions(of: signature).map { "\(payload) MATCHES '\($0)'" }
        return "[\(terms.joined(separator: " AND "))]"
    }

    /// One regular expression for a sequence, or for each token of a conjunction, with doubled backslashes for string
    /// literals of patterns. `(?s)`: a dot is any byte.
    private static func expressions(of signature: Signature) throws(EpitopeError) -> [String] {
        var expressions: [String] = []
        for run in try RenderedRun.runs(of: signature) {
            let bytes = run.bytes.map { "\\\\x\(Hex.encode([$0]))" }.joined()
            switch run.place {
            case .anywhere: expressions.append("(?s)\(bytes)")
            case .fromStart(let gap): expressions.append("(?s)\\\\A\(try count(gap, signature))\(bytes)")
            case .after(let gap): expressions[expressions.count - 1] += try count(gap, signature) + bytes
            }
        }
        return expressions
    }

    private static func count(_ gap: ClosedRange<Int>?, _ signature: Signature) throws(EpitopeError) -> String {
        guard let gap else { return ".*?" }
        guard gap.lowerBound <= maxRepeat else {
            throw RenderedRun.unrenderable(signature, "a token lies \(gap.lowerBound) bytes away, possible is 0 to \(maxRepeat)")
        }
        if gap.lowerBound == gap.upperBound { return gap.lowerBound == 0 ? "" : ".{\(gap.lowerBound)}" }
        return gap.upperBound > maxRepeat ? ".{\(gap.lowerBound),}?" : ".{\(gap.lowerBound),\(gap.upperBound)}?"
    }
}
