// SPDX-License-Identifier: Apache-2.0

/// A rule with its bytes, numbers and words left out: what remains decides whether Suricata understands it.
///
/// Suricata's own check (`suricata -T`) takes a process and tens of milliseconds. So each form is checked once, ahead
/// of time for the usual ones, and a rule whose form is proven goes live without it.
public struct RuleShape: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ rule: SuricataRule) {
        let shapes = rule.contents.map { content in
            let place =
                switch content.placement {
                case .anywhere: ""
                case .absolute(_, let depth): depth == nil ? " offset" : " offset depth"
                case .relative(_, let within): within == nil ? " distance" : " distance within"
                }
            return "content\(place)\(content.isFastPattern ? " fast_pattern" : "")"
        }
        // The first content has nothing before it. Of the others each is read for itself, so their order and number
        // make no other form.
        let others = Set(shapes.dropFirst()).sorted()
        func ports(_ ports: [UInt16]) -> String { ports.isEmpty ? "any" : "ports" }
        description =
            ([rule.action.rawValue, rule.ruleProtocol.rawValue, ports(rule.sourcePorts), ports(rule.destinationPorts)]
            + (rule.flow.map { ["flow \($0.rawValue)"] } ?? [])
            + (rule.dsizeAbove == nil ? [] : ["dsize"]) + shapes.prefix(1) + others).joined(separator: "; ")
    }
}
