/// A rule with its bytes, numbers and words left out: what remains decides whether Suricata understands it.
///
/// Suricata's own check (`suricata -T`) takes a process and tens of milliseconds. So each form is checked once, ahead
/// of time for the usual ones, and a rule whose form is proven goes live without it.
public struct RuleForm: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ rule: SuricataRule) {
        var shapes: [String] = []
        for content in rule.contents {
            let place =
                switch content.placement {
                case .anywhere: ""
                case .absolute(_, let depth): depth == nil ? " offset" : " offset depth"
                case .relative(_, let within): within == nil ? " distance" : " distance within"
                }
            let shape = "content\(place)\(content.isFastPattern ? " fast_pattern" : "")"
            // A run of like contents is one form, whatever its length.
            if shapes.last != shape { shapes.append(shape) }
        }
        func ports(_ ports: [UInt16]) -> String { ports.isEmpty ? "any" : "ports" }
        description =
            ([rule.action.rawValue, rule.ruleProtocol.rawValue, ports(rule.sourcePorts), ports(rule.destinationPorts)]
            + (rule.flow.map { ["flow \($0.rawValue)"] } ?? []) + shapes).joined(separator: "; ")
    }
}
