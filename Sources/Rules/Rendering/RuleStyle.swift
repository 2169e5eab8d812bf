// SPDX-License-Identifier: Apache-2.0

/// Our own check of rendered rules for style, as Emerging Threats' conventions and suricata-check look at rules, and
/// as the makers of the other engines advise. It reads texts, whoever wrote them, and knows nothing of the renderers.
public enum RuleStyle {
    /// Something about a rule that its language's conventions or its engine's limits speak against.
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
    /// - Returns: nothing for a rule in good style.
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
