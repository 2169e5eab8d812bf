// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PatternScan
import Rendering
import Signatures
import TestSupport

/// All operations on a signature that was accepted.
enum SignatureUse {
    /// A stream that the seeds' signatures match, and bytes around it.
    private static let stream = [UInt8](repeating: 0x90, count: 40) + Samples.code.bytes + [0xcd, 0x80] + [UInt8](0...255)

    /// - Throws: the errors of rendering and scanning. The other operations must not fail.
    static func exercise(_ signature: Signature) throws {
        _ = (signature.description, signature.fixedBytes)
        let canonical = signature.canonical
        guard canonical.canonical == canonical, canonical.id == signature.id else { broken("the canonical form is not its own") }
        let isMatch = signature.matches(stream)
        guard canonical.matches(stream) == isMatch else { broken("the canonical form matches other data") }
        for other in SignatureSeeds.signatures {
            _ = (signature.covers(other), other.covers(signature))
            if let merged = signature.merged(with: other), isMatch, !merged.matches(stream) {
                broken("what two signatures merge to misses what one of them matches")
            }
        }
        _ = (signature.isWellFormed, signature.isSubstantial)
        try seek(signature, isMatch: isMatch)
        try render(signature)
    }

    private static func seek(_ signature: Signature, isMatch: Bool) throws {
        let scanner = try SignatureScanner([signature])
        let found = try stream.withUnsafeBytes { try scanner.matches(in: $0) }
        guard found.isEmpty != isMatch else { broken("the scanner finds other than the signature's own matching") }
    }

    private static func render(_ signature: Signature) throws {
        let subject = RuleInput(signature: signature, sid: SIDRange.all.lowerBound, createdMilliseconds: 1_700_000_000_000)
        var refusal: EpitopeError?
        for language in RuleLanguage.allCases {
            do {
                let text = try language.rendering.render(subject)
                if language == .suricata { try RuleSyntax.check(text) }
            } catch {
                if error.code == .ruleMalformed { broken("a rule that was rendered is refused by the check") }
                refusal = error
            }
        }
        if let refusal { throw refusal }
    }
}
