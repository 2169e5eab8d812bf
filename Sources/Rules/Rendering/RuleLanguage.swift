// SPDX-License-Identifier: Apache-2.0

/// The rule languages, with their names on the command line.
public enum RuleLanguage: String, Hashable, Sendable, Codable, CaseIterable {
    case suricata
    case snort2
    case snort3
    case yara
    case clamavNDB = "clamav-ndb"
    case clamavLDB = "clamav-ldb"
    case stix

    /// Renders signatures in the language.
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
