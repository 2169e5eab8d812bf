// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Snort 2.9: Suricata's language without its larger bounds.
public enum Snort2Rendering: SignatureRendering {
    /// What Snort 2.9 reads of one content, in bytes: its parser's buffer has 2,048.
    static let longestContent = 2047

    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        let rule = try SnortBounds.checked(subject, longestContent: longestContent)
        return rule.text
    }
}

/// Snort 3: modifiers stand behind their content, with commas.
public enum Snort3Rendering: SignatureRendering {
    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        let rule = try SnortBounds.checked(subject, longestContent: SnortBounds.largestDistance)
        var options = ["msg:\"\(RuleMessage.escape(rule.message))\""]
        if let flow = rule.flow { options.append("flow:\(flow.rawValue)") }
        if let dsize = rule.dsizeAbove { options.append("dsize:>\(dsize)") }
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

/// What both Snorts bound more tightly than Suricata.
enum SnortBounds {
    /// The largest `offset`, `depth`, `distance` and `within` (Snort's manual, "Payload Detection Rule Options").
    static let largestDistance = 65535

    /// The rule, with bounds that no datagram and no stream segment can reach left out.
    static func checked(_ subject: RuleInput, longestContent: Int) throws(EpitopeError) -> SuricataRule {
        var rule = try SuricataRendering.rule(subject)
        for index in rule.contents.indices {
            let content = rule.contents[index]
            guard content.bytes.count <= longestContent else {
                throw RenderedRun.unrenderable(subject.signature, "Snort reads at most \(longestContent) bytes of one content")
            }
            if case .relative(let distance, let within) = content.placement {
                guard distance <= largestDistance else {
                    throw RenderedRun.unrenderable(
                        subject.signature, "a token lies \(distance) bytes away, possible is 0 to \(largestDistance)")
                }
                if let within, within > largestDistance { rule.contents[index].placement = .relative(distance: distance, within: nil) }
            }
        }
        return rule
    }
}
