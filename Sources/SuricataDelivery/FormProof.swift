import EpitopeModel
import Rendering
import Signatures
import Synchronization

/// The forms of rules that the installed Suricata has been shown to understand.
final class FormProof: Sendable {
    private struct Proven {
        var program: String?
        var forms: Set<RuleForm> = []
    }

    private let proven = Mutex(Proven())
    private let trial: RuleTrial

    init(_ trial: RuleTrial) {
        self.trial = trial
    }

    /// Checks rules whose form has not been proven; those of proven forms cost nothing.
    ///
    /// - Returns: Suricata's complaint for each rule that it would refuse.
    func refusals(of rules: [SuricataRule]) throws(EpitopeError) -> [UInt32: String] {
        let program = trial.programIdentity()
        let known = proven.withLock { proven in
            // Another program than the one that was asked: ask again.
            if proven.program != program { proven = Proven(program: program) }
            return proven.forms
        }
        let open = rules.filter { !known.contains(RuleForm($0)) }
        guard !open.isEmpty else { return [:] }
        var refusals: [UInt32: String] = [:]
        if try trial.complaint(about: open.map(\.text)) != nil {
            for rule in open { refusals[rule.sid] = try trial.complaint(about: [rule.text]) }
        }
        let accepted = Set(open.filter { refusals[$0.sid] == nil }.map { RuleForm($0) })
        proven.withLock { $0.forms.formUnion(accepted) }
        return refusals
    }

    /// One rule of each usual form: one to three tokens, any of them the fast pattern, in every context.
    static func usualRules(_ action: SuricataRule.Action) -> [SuricataRule] {
        let long = Array(UInt8(0x40)..<0x60)
        let short = Array(UInt8(0x60)..<0x68)
        func token(_ bytes: [UInt8], _ gap: ClosedRange<Int>?) -> Signature.Token { .init(bytes: bytes, gap: gap) }
        var shapes: [[Signature.Token]] = [[token(long, nil)], [token(long, 0...900)]]
        for gap in [nil, 0...64] as [ClosedRange<Int>?] {
            shapes.append([token(long, nil), token(short, gap)])
            shapes.append([token(short, nil), token(long, gap)])
            shapes.append([token(short, nil), token(long, gap), token(short, gap)])
        }
        var contexts: [SignatureContext] = [.any]
        for transport in [TransportProtocol.tcp, .udp] {
            for direction in [SignatureContext.Direction.toService, .fromPeer] {
                contexts.append(SignatureContext(transport: transport, ports: [1434], direction: direction))
                contexts.append(SignatureContext(transport: transport, ports: [53, 1434], direction: direction))
            }
        }
        var sid = SidRange.all.lowerBound
        var rules: [SuricataRule] = []
        for context in contexts {
            for tokens in shapes {
                let rule = try? SuricataRule(
                    signature: Signature(tokens: tokens, context: context), sid: sid, revision: 1, action: action,
                    message: "trial", created: 0, lifetime: 1, origin: .site)
                if let rule { rules.append(rule) }
                sid += 1
            }
        }
        return rules
    }
}
