// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Signatures

/// Snort 2.9: Suricata's language with smaller bounds.
public enum Snort2Rendering: SignatureRendering {
    public static let hasNumbers = true
    /// In bytes: the longest content that Snort 2.9 reads. Its parser's buffer has 2,048 bytes.
    static let maxContentBytes = 2047

    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        let rule = try SnortBounds.checked(subject, maxContentBytes: maxContentBytes)
        if let buffer = rule.buffer, buffer.snort2Modifier == nil, buffer.snort2Keyword == nil {
            throw SnortBounds.noBuffer(buffer, of: subject.signature)
        }
        return text(of: rule)
    }

    /// As Suricata's, but for the names of buffers.
    static func text(of rule: SuricataRule) -> String {
        rule.text(keyword: rule.buffer?.snort2Keyword, modifier: rule.buffer?.snort2Modifier)
    }
}

/// Snort 3: modifiers follow their content, separated by commas.
public enum Snort3Rendering: SignatureRendering {
    public static let hasNumbers = true

    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        let rule = try SnortBounds.checked(subject, maxContentBytes: SnortBounds.maxDistance)
        if let buffer = rule.buffer, buffer.snort3Keyword == nil { throw SnortBounds.noBuffer(buffer, of: subject.signature) }
        return text(of: rule)
    }

    static func text(of rule: SuricataRule) -> String {
        var options = ["msg:\"\(RuleMessage.escape(rule.message))\""]
        if let flow = rule.flow { options.append("flow:\(flow.rawValue)") }
        if let dsize = rule.dsizeAbove { options.append("dsize:>\(dsize)") }
        if let keyword = rule.buffer?.snort3Keyword { options.append(keyword) }
        for content in rule.contents {
            var words = ["content:\"|\(SuricataRule.hexadecimal(content.bytes))|\""]
            switch content.placement {
            case .anywhere: break
            case .absolute(let offset, let depth): words += ["offset \(offset)"] + (depth.map { ["depth \($0)"] } ?? [])
            case .relative(let distance, let within): words += ["distance \(distance)"] + (within.map { ["within \($0)"] } ?? [])
            }
            if content.isFastPattern { words.append("fast_pattern") }
            options.append(words.joined(separator: ","))
        }
        options += [
            "metadata:\(rule.metadata.text)", "classtype:\(SuricataRule.classtype)", "sid:\(rule.sid)", "rev:\(rule.revision)",
        ]
        return "\(rule.header) (\(options.joined(separator: "; "));)"
    }
}

/// The bounds of both versions of Snort that are smaller than Suricata's. A signature whose context has several parts needs a rule
/// with a sid of its own for each: Snort reserves most generator ids.
enum SnortBounds {
    /// The largest `offset`, `depth`, `distance` and `within` (Snort's manual, "Payload Detection Rule Options").
    static let maxDistance = 65535

    static func noBuffer(_ buffer: ProtocolBuffer, of signature: Signature) -> EpitopeError {
        RenderedRun.unrenderable(signature, "it is searched in \(buffer.title), of which Snort has no buffer")
    }

    /// The rule, without bounds that no datagram and no stream segment can reach.
    static func checked(_ subject: RuleInput, maxContentBytes: Int) throws(EpitopeError) -> SuricataRule {
        var rule = try SuricataRule(subject)
        rule.generator = 1
        for index in rule.contents.indices {
            let content = rule.contents[index]
            guard content.bytes.count <= maxContentBytes else {
                throw RenderedRun.unrenderable(subject.signature, "Snort reads at most \(maxContentBytes) bytes of one content")
            }
            if case .relative(let distance, let within) = content.placement {
                guard distance <= maxDistance else {
                    throw RenderedRun.unrenderable(
                        subject.signature, "a token lies \(distance) bytes away, possible is 0 to \(maxDistance)")
                }
                if let within, within > maxDistance { rule.contents[index].placement = .relative(distance: distance, within: nil) }
            }
        }
        return rule
    }
}
