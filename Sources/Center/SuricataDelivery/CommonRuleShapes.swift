// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Rendering
import Signatures

/// The common shapes of the rules that Epitope writes, one rule each. Suricata tests them before the first delivery, so
/// that no delivery has to wait for a test.
enum CommonRuleShapes {
    /// How a content is placed behind the one before it.
    private enum Gap: CaseIterable {
        /// `distance`
        case open
        /// `distance within`
        case bounded
    }

    /// One rule of each shape: every action, context and arrangement of tokens, each token the fast pattern once.
    static func rules(_ actions: SuricataRule.Action...) -> [SuricataRule] {
        var rules: [SuricataRule] = []
        var seen: Set<RuleShape> = []
        for context in contexts {
            for (shape, action) in shapes.flatMap({ shape in actions.map { (shape, $0) } }) {
                let signature = Signature(tokens: shape.tokens, arrangement: shape.arrangement, context: context)
                guard
                    let rule = try? SuricataRule(
                        RuleInput(
                            signature: signature, sid: SIDRange.all.lowerBound + UInt32(rules.count), message: "shape",
                            createdMilliseconds: 0, lifetimeDays: 1), action: action)
                else { continue }
                if seen.insert(RuleShape(rule)).inserted { rules.append(rule) }
            }
        }
        return rules
    }

    private static let contexts: [SignatureContext] = {
        var contexts: [SignatureContext] = [.any]
        for transport in [TransportProtocol.tcp, .udp] {
            contexts.append(SignatureContext(transport: transport, ports: [], direction: .any))
            for direction in [SignatureContext.Direction.toService, .fromPeer] {
                contexts.append(SignatureContext(transport: transport, ports: [], direction: direction))
                contexts.append(SignatureContext(transport: transport, ports: [53, 1434], direction: direction))
            }
        }
        for buffer in ProtocolBuffer.allCases {
            for transport in buffer.transports {
                for ports in [[], [53, 80]] as [[UInt16]] {
                    contexts.append(
                        SignatureContext(
                            transport: transport, ports: ports, direction: buffer.isOfResponse ? .fromPeer : .toService, buffer: buffer))
                }
            }
        }
        return contexts
    }()

    private static let shapes: [(arrangement: Signature.Arrangement, tokens: [Signature.Token])] = {
        var shapes: [(arrangement: Signature.Arrangement, tokens: [Signature.Token])] = []
        let gaps: [[Gap]] = [
            [], [.open], [.bounded], [.open, .bounded], [.open, .open, .bounded], [.open, .bounded, .bounded],
            [.open, .open, .bounded, .bounded], [.open, .open], [.bounded, .bounded],
        ]
        for first in [nil, 0...900, 4...100_000] as [ClosedRange<Int>?] {
            for gaps in gaps {
                for longest in 0...gaps.count {
                    let tokens = ([first] + gaps.map { $0 == .open ? nil : 0...64 }).enumerated().map { index, gap in
                        Signature.Token(bytes: bytes(index, isLong: index == longest), gap: gap)
                    }
                    shapes.append((.sequence, tokens))
                }
            }
        }
        // Conjunctions, with masked positions in some of their tokens.
        for masked in [[false, false], [true, false], [false, true], [true, true], [false, false, false], [true, true, true]] {
            for longest in 0..<masked.count {
                for run in [false, true] {
                    let tokens = masked.enumerated().map { index, isMasked in
                        let one = bytes(2 * index, isLong: index == longest && !run)
                        let two = bytes(2 * index + 1, isLong: index == longest && run)
                        return isMasked
                            ? Signature.Token(bytes: one + [0] + two, masked: [one.count])
                            : Signature.Token(bytes: index == longest ? one + two : one)
                    }
                    shapes.append((.conjunction, tokens))
                }
            }
        }
        return shapes
    }()

    /// Bytes of a token's own; the long ones become the fast pattern.
    private static func bytes(_ index: Int, isLong: Bool) -> [UInt8] {
        (0..<(isLong ? 24 : 4)).map { UInt8(truncatingIfNeeded: 0x21 + index * 24 + $0) }
    }
}
