// SPDX-License-Identifier: Apache-2.0

import PatternScan
import Signatures

/// Tokens and data that make a search try most: what a linked site, or an attacker's samples, can choose.
extension WorstCases {
    static let matching: [WorstCase] = [
        WorstCase(
            name: "match-fill", what: "a token everywhere, and again in no reach of it: SignatureMatcher",
            sizes: [256 << 10, 4 << 20], maxSteps: 2, maxMemory: 0.5, fixedMemory: 8 << 20,
            make: { size, _ in try matching([token("00"), token("00", gap: 0...0)], in: alternating(size)) }),
        WorstCase(
            name: "match-tokens", what: "as many tokens as there may be, all but the last in reach everywhere: SignatureMatcher",
            maxSteps: Double(Signature.maxTokens), maxMemory: 0.5, fixedMemory: 8 << 20,
            make: { size, _ in
                let inReach = (1..<Signature.maxTokens).map { token("00", gap: $0 == 1 ? nil : 1...1) }
                return try matching(inReach + [token("00", gap: 0...0)], in: alternating(size))
            }),
        WorstCase(
            name: "match-long", what: "a token of 8 KiB of zeros and a one, in zeros: SignatureMatcher",
            maxSteps: 1, maxMemory: 0.5,
            make: { size, _ in
                let token = Signature.Token(bytes: zeros(Signature.maxBytes - 1) + [1])
                return try matching([token], in: zeros(size))
            }),
        WorstCase(
            name: "match-masked", what: "every second byte masked, and the last one missing: SignatureMatcher",
            maxSteps: Double(Signature.maxMaskedTokenBytes) + 1, maxMemory: 0.5,
            make: { size, _ in
                let count = Signature.maxMaskedTokenBytes - 1
                let masked = stride(from: 1, to: count, by: 2)
                return try matching([Signature.Token(bytes: zeros(count - 1) + [1], masked: masked)], in: zeros(size))
            }),
        WorstCase(
            name: "scan-decoys", what: "literals everywhere, and no match: SignatureScanner, 64 signatures",
            maxMemory: 0.5,
            make: { size, _ in
                let decoy: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
                let data = (0..<size / decoy.count).flatMap { _ in decoy }
                let scanner = try SignatureScanner(
                    (9..<73).map { missing in
                        Signature(
                            tokens: [.init(bytes: decoy), .init(bytes: [UInt8](repeating: missing, count: 4), gap: 0...60)],
                            context: .any)
                    })
                return WorstCase.Input(bytes: size) {
                    let found = try data.withUnsafeBytes { try scanner.matches(in: $0) }
                    if !found.isEmpty { broken("a match that is not there") }
                    return nil
                }
            }),
    ]

    static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    /// Zeros and ones in turn.
    private static func alternating(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 & 1) } }

    private static func token(_ pattern: String, gap: ClosedRange<Int>? = nil) -> Signature.Token {
        Signature.Token(pattern: pattern, gap: gap) ?? Signature.Token(bytes: [])
    }

    private static func matching(_ tokens: [Signature.Token], in data: [UInt8]) throws -> WorstCase.Input {
        let signature = Signature(tokens: tokens, context: .any)
        if !signature.isWellFormed { broken("a signature that every center refuses") }
        return WorstCase.Input(bytes: data.count) {
            let (range, steps) = data.withUnsafeBytes { SignatureMatcher(signature).matchCountingSteps(in: $0) }
            if range != nil { broken("a match that is not there") }
            return steps
        }
    }
}
