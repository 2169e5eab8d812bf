// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Signatures

/// Epitope's own check of a rule before Suricata reads it. It accepts exactly what ``SuricataRule`` writes, and nothing
/// more of the rule language: a rule that was tampered with, or truncated on disk, is rejected.
public enum RuleSyntax {
    /// How a content's modifiers are written.
    public enum Form: Hashable, Sendable {
        /// As options of their own: Suricata, and Snort 2 where no buffer is searched.
        case suricata
        /// As options of their own, buffers too.
        case snort2
        /// Behind their content, after commas.
        case snort3
    }

    /// - Parameter sids: the numbers that a rule may have.
    /// - Returns: the parsed rule.
    /// - Throws: ``EpitopeError/Code/ruleMalformed``, with the check that failed.
    @discardableResult
    public static func check(
        _ text: String, _ form: Form = .suricata, sids: ClosedRange<UInt32> = SIDRange.all
    ) throws(EpitopeError) -> SuricataRule {
        var scanner = RuleScanner(text, form)
        // What the scanner reads loosely (leading zeros, an order of parts) fails this comparison.
        guard let rule = scanner.rule(), scanner.isAtEnd, form.text(of: rule) == text else {
            throw malformed(text, "it is not one of Epitope's forms of rules")
        }
        guard sids.contains(rule.sid) else { throw malformed(text, "the sid is not from \(sids.lowerBound) to \(sids.upperBound)") }
        if let failed = checks.first(where: { !$0.passes(rule) }) { throw malformed(text, failed.requirement) }
        return rule
    }

    private static func malformed(_ text: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .ruleMalformed, "this is not a rule that Epitope writes (\(reason)): \(text.prefix(200))",
            remedy: "remove the line from the rules file: the next update writes the rules again")
    }

    /// A property that every rule of ``SuricataRule`` has.
    private struct Check: Sendable {
        /// What must hold, as part of an error message.
        var requirement: String
        var passes: @Sendable (SuricataRule) -> Bool

        init(_ requirement: String, _ passes: @escaping @Sendable (SuricataRule) -> Bool) {
            self.requirement = requirement
            self.passes = passes
        }
    }

    private static let checks = [
        Check("a rule has at most \(SuricataRule.maxLength) bytes") { $0.text.utf8.count <= SuricataRule.maxLength },
        Check("the revision counts from 1") { $0.revision >= 1 },
        Check("a signature has at most \(SignatureContext.maxParts) rules") { (1...SignatureContext.maxParts).contains($0.generator) },
        Check("the message is printable") { $0.message == RuleMessage.printable($0.message) },
        Check("exactly one content is the fast pattern") { $0.contents.count(where: \.isFastPattern) == 1 },
        Check("every content has bytes") { $0.contents.allSatisfy { !$0.bytes.isEmpty } },
        Check("only the first content has an offset, and only later ones a distance, within their bounds") { rule in
            rule.contents.indices.allSatisfy { isPlaced(rule.contents[$0], isFirst: $0 == 0) }
        },
        Check("a rule has flow if it is about TCP, and only then") { ($0.flow != nil) == ($0.ruleProtocol == .tcp) },
        Check("only rules about UDP have dsize, within its bounds") { rule in
            rule.dsizeAbove.map { rule.ruleProtocol == .udp && (0..<SuricataRule.maxOffset).contains($0) } ?? true
        },
        Check("a buffer is one that the protocol brings, and has no dsize") { rule in
            guard let buffer = rule.buffer else { return true }
            return buffer.transports.contains { $0.rawValue == rule.ruleProtocol.rawValue } && rule.dsizeAbove == nil
        },
        Check("ports need TCP or UDP") { $0.ruleProtocol != .ip || $0.sourcePorts.isEmpty && $0.destinationPorts.isEmpty },
        Check("ports are those of one side") { $0.sourcePorts.isEmpty || $0.destinationPorts.isEmpty },
        Check("the signature's id is 32 hexadecimal digits") {
            $0.metadata.signatureID.utf8.count == 32 && Hex.decode($0.metadata.signatureID) != nil
        },
    ]

    private static func isPlaced(_ content: SuricataRule.Content, isFirst: Bool) -> Bool {
        func isRoom(_ room: Int?, upTo limit: Int) -> Bool { room.map { (content.bytes.count...limit).contains($0) } ?? true }
        return switch content.placement {
        case .anywhere: true
        case .absolute(let offset, let depth):
            isFirst && (0...SuricataRule.maxOffset).contains(offset) && isRoom(depth, upTo: SuricataRule.maxOffset)
        case .relative(let distance, let within):
            !isFirst && (0...SuricataRule.maxDistance).contains(distance) && isRoom(within, upTo: SuricataRule.maxDistance)
        }
    }
}

extension RuleSyntax.Form {
    fileprivate func text(of rule: SuricataRule) -> String {
        switch self {
        case .suricata: rule.text
        case .snort2: Snort2Rendering.text(of: rule)
        case .snort3: Snort3Rendering.text(of: rule)
        }
    }
}
