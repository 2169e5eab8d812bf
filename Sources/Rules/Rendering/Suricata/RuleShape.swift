// SPDX-License-Identifier: Apache-2.0

import Signatures

/// A rule without its bytes, numbers and texts: the part that decides whether Suricata accepts it.
///
/// Suricata's own test (`suricata -T`) needs a process and tens of milliseconds. So each shape is tested once, the common
/// ones ahead of time, and a rule of a shape that passed goes live without it. Addresses are like texts: read apart from all else,
/// and always written the same way.
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
        // The first content has none before it. The others are parsed independently, so their order and number don't
        // matter.
        let others = Set(shapes.dropFirst()).sorted()
        func ports(_ ports: [UInt16]) -> String { ports.isEmpty ? "any" : "ports" }
        description =
            ([rule.action.rawValue, rule.ruleProtocol.rawValue, ports(rule.sourcePorts), ports(rule.destinationPorts)]
            + (rule.flow.map { ["flow \($0.rawValue)"] } ?? [])
            + (rule.generator == 1 ? [] : ["gid"]) + (rule.dsizeAbove == nil ? [] : ["dsize"])
            + (rule.buffer.map { [$0.rawValue] } ?? []) + shapes.prefix(1) + others).joined(
                separator: "; ")
    }
}
