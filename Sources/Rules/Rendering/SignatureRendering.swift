// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

/// What a rule says besides its signature.
public struct RuleInput: Hashable, Sendable {
    public var signature: Signature
    /// In ``SIDRange``.
    public var sid: UInt32
    /// Counts from 1.
    public var revision: Int
    /// Any text; every language makes it printable and escapes it.
    public var message: String
    /// In milliseconds since 1970-01-01T00:00:00Z.
    public var createdMilliseconds: Int64
    /// In days from then.
    public var lifetimeDays: Int
    public var origin: SignatureUpdate.Origin

    /// - Parameter message: `nil`: ``RuleMessage/standard(for:)``.
    public init(
        signature: Signature, sid: UInt32, revision: Int = 1, message: String? = nil, createdMilliseconds: Int64,
        lifetimeDays: Int = SignatureUpdate.defaultLifetimeDays, origin: SignatureUpdate.Origin = .site
    ) {
        self.signature = signature
        self.sid = sid
        self.revision = revision
        self.message = message ?? RuleMessage.standard(for: signature)
        self.createdMilliseconds = createdMilliseconds
        self.lifetimeDays = lifetimeDays
        self.origin = origin
    }

    public init(_ numbered: RuleAssignment, message: String? = nil) {
        self.init(
            signature: numbered.update.signature, sid: numbered.sid, revision: numbered.update.revision, message: message,
            createdMilliseconds: numbered.update.createdMilliseconds, lifetimeDays: numbered.update.lifetimeDays,
            origin: numbered.update.origin)
    }

    /// When the rule is no longer in force, in milliseconds since 1970-01-01T00:00:00Z.
    var expiresMilliseconds: Int64 {
        createdMilliseconds.addingReportingOverflow(Int64(min(max(lifetimeDays, 0), 36_500)) * 86_400_000).partialValue
    }

    var originName: String {
        switch origin {
        case .site: "site"
        case .global(let sequence): "global-\(max(0, sequence))"
        }
    }
}

/// A language in which a signature can be written down.
public protocol SignatureRendering: Sendable {
    /// - Returns: a rule's text, without a line feed at its end.
    /// - Throws: ``EpitopeError/Code/signatureUnrenderable`` when the language can't say what the signature says:
    ///   nothing is rendered that would match other data.
    static func render(_ subject: RuleInput) throws(EpitopeError) -> String
}

/// The languages, by the names that a command line knows them by.
public enum RuleLanguage: String, Hashable, Sendable, Codable, CaseIterable {
    case suricata
    case snort2
    case snort3
    case yara
    case clamavNDB = "clamav-ndb"
    case clamavLDB = "clamav-ldb"
    case stix

    /// What writes the language.
    public var rendering: any SignatureRendering.Type {
        switch self {
        case .suricata: SuricataRendering.self
        case .snort2: Snort2Rendering.self
        case .snort3: Snort3Rendering.self
        case .yara: YaraRendering.self
        case .clamavNDB: ClamAVExtendedRendering.self
        case .clamavLDB: ClamAVLogicalRendering.self
        case .stix: StixRendering.self
        }
    }
}

/// Suricata 7, as ``SuricataRule`` with the action `alert`.
public enum SuricataRendering: SignatureRendering {
    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        try rule(subject).text
    }

    static func rule(_ subject: RuleInput) throws(EpitopeError) -> SuricataRule {
        try SuricataRule(
            signature: subject.signature, sid: subject.sid, revision: subject.revision, action: .alert,
            message: subject.message, created: subject.createdMilliseconds, lifetime: subject.lifetimeDays, origin: subject.origin)
    }
}
