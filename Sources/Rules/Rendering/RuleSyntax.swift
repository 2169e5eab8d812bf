// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Epitope's own check of a rule before Suricata sees it. It takes exactly what ``SuricataRule`` writes, nothing
/// more of the rule language: a rule that was tampered with, or cut short on a disk, is not taken.
public enum RuleSyntax {
    /// - Returns: the rule in its parts.
    /// - Throws: ``EpitopeError/Code/ruleMalformed``.
    @discardableResult
    public static func check(_ text: String) throws(EpitopeError) -> SuricataRule {
        var scanner = RuleScanner(text)
        // Whatever the scanner reads loosely (leading zeros, an order of parts) the comparison takes back.
        guard let rule = scanner.rule(), scanner.isAtEnd, rule.text == text, isSound(rule) else {
            throw EpitopeError(
                .ruleMalformed, "this is not a rule that Epitope writes: \(text.prefix(200))",
                remedy: "remove the line from the rules file: the rules are written anew with the next update")
        }
        return rule
    }

    private static func isSound(_ rule: SuricataRule) -> Bool {
        rule.text.utf8.count <= SuricataRule.largestLength && SIDRange.all.contains(rule.sid) && rule.revision >= 1
            && rule.message == RuleMessage.printable(rule.message)
            && rule.contents.filter(\.isFastPattern).count == 1
            && rule.contents.indices.allSatisfy { isSound(rule.contents[$0], isFirst: $0 == 0) }
            && (rule.flow != nil) == (rule.ruleProtocol == .tcp)
            && rule.dsizeAbove.map { rule.ruleProtocol == .udp && (0..<SuricataRule.largestOffset).contains($0) } ?? true
            && (rule.ruleProtocol != .ip || rule.sourcePorts.isEmpty && rule.destinationPorts.isEmpty)
            && (rule.sourcePorts.isEmpty || rule.destinationPorts.isEmpty)
            && rule.metadata.signatureID.utf8.count == 32 && Hex.decode(rule.metadata.signatureID) != nil
    }

    private static func isSound(_ content: SuricataRule.Content, isFirst: Bool) -> Bool {
        guard !content.bytes.isEmpty else { return false }
        switch content.placement {
        case .anywhere: return true
        case .absolute(let offset, let depth):
            return isFirst && (0...SuricataRule.largestOffset).contains(offset)
                && depth.map { (content.bytes.count...SuricataRule.largestOffset).contains($0) } ?? true
        case .relative(let distance, let within):
            return !isFirst && (0...SuricataRule.largestDistance).contains(distance)
                && within.map { (content.bytes.count...SuricataRule.largestDistance).contains($0) } ?? true
        }
    }
}
