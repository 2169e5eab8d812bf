// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel

/// What can be proven of a signature that comes without its packets, such as one from the global center.
public enum SignatureCheck {
    /// Bounds on a signature from outside: more is never made, and matching one takes a pass a token.
    public static let mostTokens = 64
    /// Of all tokens together: as much as a packet's code.
    public static let mostBytes = 8192
    /// In bytes: as far as one datagram reaches.
    public static let largestGap = 65535
    /// Whether a signature keeps the form's bounds: tokens that hold bytes, gaps that can be counted, a context that
    /// names ports only with a transport.
    public static func isWellFormed(_ signature: Signature) -> Bool {
        guard (1...mostTokens).contains(signature.tokens.count) else { return false }
        var bytes = 0
        for token in signature.tokens {
            guard token.masked.count < token.bytes.count, token.bytes.count <= mostBytes else { return false }
            bytes += token.bytes.count
            if let gap = token.gap, gap.lowerBound < 0 || gap.upperBound > largestGap { return false }
        }
        let context = signature.context
        return bytes <= mostBytes && context.ports.count <= SignatureContext.mostPorts
            && (context.ports.isEmpty || (context.transport != nil && context.transport != .other))
    }

    /// Proves what needs no packets, or with them everything (``Proof/init(of:samples:)``); always with the check
    /// `well-formed`. A malformed signature gets no further checks.
    public static func proof(of signature: Signature, samples: [[UInt8]]? = nil) -> Proof {
        let wellFormed = isWellFormed(signature)
        var checks = [
            Proof.Check(
                name: "well-formed", passed: wellFormed,
                detail: wellFormed ? "tokens, gaps and context keep the bounds" : "tokens, gaps or context break the bounds")
        ]
        if wellFormed {
            let shown = Proof(of: signature, samples: samples ?? []).checks
            // Without packets there is nothing to match: that check would fail for want of them.
            checks += samples == nil ? shown.filter { $0.name != "matches-samples" } : shown
        }
        return Proof(checks: checks)
    }
}
