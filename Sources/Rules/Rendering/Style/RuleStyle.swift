// SPDX-License-Identifier: Apache-2.0

/// Checks the style of rules by the conventions of Emerging Threats and suricata-check, and by the advice of the makers of
/// the other engines. It parses texts, and does not depend on the renderers.
public enum RuleStyle {
    /// A violation of the language's conventions or the engine's limits.
    public struct Finding: Hashable, Sendable {
        /// A stable name, such as `fast-pattern`.
        public var name: String
        /// What was found, for a person.
        public var detail: String

        public init(_ name: String, _ detail: String) {
            self.name = name
            self.detail = detail
        }
    }

    /// - Parameter text: one rule, as ``SignatureRendering/render(_:)`` gives it.
    /// - Returns: empty for a rule in good style.
    public static func findings(in text: String, language: RuleLanguage) -> [Finding] {
        switch language {
        case .suricata, .snort2: NetworkRuleStyle(text, separator: nil).findings
        case .snort3: NetworkRuleStyle(text, separator: ",").findings
        case .yara: YaraStyle(text).findings
        case .clamavNDB: ClamAVStyle.extended(text)
        case .clamavLDB: ClamAVStyle.logical(text)
        case .stix: StixStyle.findings(text)
        }
    }
}
