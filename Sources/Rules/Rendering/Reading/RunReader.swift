// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// Puts the runs of a rule together again: the reverse of ``RenderedRun/runs(of:)``.
enum RunReader {
    /// - Throws: ``Unreadable`` for runs that no signature is written as.
    static func signature(of runs: [RenderedRun], context: SignatureContext) throws(Unreadable) -> Signature {
        guard !runs.isEmpty else { throw Unreadable("it searches for no bytes") }
        // No signature is longer, and the parts of a token are joined one by one.
        guard runs.reduce(0, { $0 + $1.bytes.count + $1.tie }) <= Signature.maxBytes else { throw tooLong }
        let isConjunction = runs.dropFirst().contains { $0.place == .anywhere }
        var tokens: [Signature.Token] = []
        for (index, run) in runs.enumerated() {
            guard !run.bytes.isEmpty else { throw Unreadable("it searches for no bytes") }
            switch run.place {
            case .anywhere: tokens.append(Signature.Token(bytes: run.bytes))
            case .fromStart(let gap):
                guard index == 0, !isConjunction else { throw Unreadable("a later token has a place from the start of the data") }
                tokens.append(Signature.Token(bytes: run.bytes, gap: gap))
            case .after(let gap):
                guard index > 0 else { throw Unreadable("the first token has a distance from one before it") }
                guard isConjunction else {
                    tokens.append(Signature.Token(bytes: run.bytes, gap: gap))
                    continue
                }
                guard let gap, gap.lowerBound == gap.upperBound, let last = tokens.popLast() else {
                    throw Unreadable("it mixes tokens with and without a distance")
                }
                let start = last.bytes.count
                guard start + gap.lowerBound <= Signature.maxBytes else { throw tooLong }
                tokens.append(
                    Signature.Token(
                        bytes: last.bytes + [UInt8](repeating: 0, count: gap.lowerBound) + run.bytes,
                        masked: last.masked + Array(start..<start + gap.lowerBound)))
            }
        }
        guard !isConjunction || tokens.count <= Signature.maxTokens else {
            throw Unreadable("it searches for more than \(Signature.maxTokens) tokens")
        }
        return Signature(tokens: tokens, arrangement: isConjunction ? .conjunction : .sequence, context: context).canonical
    }

    private static let tooLong = Unreadable("it searches for more than \(Signature.maxBytes) bytes")

    /// The signature of a rule of Suricata or Snort.
    static func signature(of rule: SuricataRule) throws(Unreadable) -> Signature {
        let runs = rule.contents.map { content in
            let place: RenderedRun.Place =
                switch content.placement {
                case .anywhere: .anywhere
                case .absolute(let offset, let depth): .fromStart(gap(offset, depth, content))
                case .relative(0, nil): .after(nil)
                case .relative(let distance, let within): .after(gap(distance, within, content))
                }
            return RenderedRun(bytes: content.bytes, place: place)
        }
        return try signature(of: runs, context: context(of: rule))
    }

    /// Depth and within are about all of a content's bytes, a gap about the first. Both are at least the content's length:
    /// ``RuleSyntax`` checks that.
    private static func gap(_ start: Int, _ room: Int?, _ content: SuricataRule.Content) -> ClosedRange<Int> {
        start...(room.map { start + max(0, $0 - content.bytes.count) } ?? RenderedRun.endless)
    }

    private static func context(of rule: SuricataRule) -> SignatureContext {
        let transport: TransportProtocol
        switch rule.ruleProtocol {
        case .ip: return .any
        case .tcp: transport = .tcp
        case .udp: transport = .udp
        }
        if rule.flow == .toClient || !rule.sourcePorts.isEmpty {
            return SignatureContext(transport: transport, ports: rule.sourcePorts, direction: .fromPeer, buffer: rule.buffer)
        }
        let isToService = rule.flow == .toServer || !rule.destinationPorts.isEmpty
        return SignatureContext(
            transport: transport, ports: rule.destinationPorts, direction: isToService ? .toService : .any,
            buffer: rule.buffer)
    }
}

extension RenderedRun {
    /// In bytes: the masked positions between this run and the one before, if both are parts of one token of a sequence.
    fileprivate var tie: Int {
        if case .after(let gap?) = place, gap.lowerBound == gap.upperBound, gap.lowerBound <= Self.maxTie { gap.lowerBound } else { 0 }
    }
}
