// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
public import Signatures

/// Which of a sample's bytes a signature matches.
extension Sample {
    /// How a signature's bytes lie to the call.
    public enum Place: Hashable, Sendable {
        /// One token over the call, whose longest run of fixed bytes is of the call or of the stretch of code that holds it.
        case atCall
        /// Every token is code.
        case inCode
        /// A token is something that lies beside the code.
        case beside
    }

    /// In bytes: shorter runs are in any code and any data, and are no engine's first pattern.
    private static let minRunBytes = 4
    /// How many places of a token are looked at.
    private static let maxPlaces = 64

    /// Where the bytes lie that a signature matches; `nil` if it doesn't match, or the sample doesn't hold its call.
    public func place(of signature: Signature) -> Place? {
        place(of: signature) { CodeExtent(of: code, caller: $0, architecture: architecture) }
    }

    /// - Parameter extent: which bytes are code; asked where the call alone does not tell.
    func place(of signature: Signature, extent: (_ caller: Int) -> CodeExtent) -> Place? {
        guard let caller = code.offset(of: callersAddress), caller > 0, signature.matches(code.bytes) else { return nil }
        let runs = signature.tokens.map { places(ofLongestRunOf: $0) }
        func touchesCall(_ run: Range<Int>) -> Bool { run.contains(caller - 1) }
        if runs.count == 1, runs[0].contains(where: touchesCall) { return .atCall }
        let extent = extent(caller)
        if signature.tokens.count == 1, isAround(caller, signature.tokens[0], extent.around) { return .atCall }
        let isCode = zip(signature.tokens, runs).allSatisfy { token, places in
            Self.longestRun(of: token).count < Self.minRunBytes || places.contains { touchesCall($0) || extent.holds($0) }
        }
        return isCode ? .inCode : .beside
    }

    /// Whether a token lies over the call, with its longest run in the stretch of code that holds the call: a masked window.
    private func isAround(_ caller: Int, _ token: Signature.Token, _ around: Range<Int>) -> Bool {
        let longest = Self.longestRun(of: token)
        return token.places(in: code.bytes, limit: Self.maxPlaces).contains { start in
            (start..<start + token.bytes.count).contains(caller - 1)
                && around.lowerBound <= start + longest.lowerBound && start + longest.upperBound <= around.upperBound
        }
    }

    /// Where the longest run of fixed bytes of a token lies.
    private func places(ofLongestRunOf token: Signature.Token) -> [Range<Int>] {
        let longest = Self.longestRun(of: token)
        return token.places(in: code.bytes, limit: Self.maxPlaces).map { $0 + longest.lowerBound..<$0 + longest.upperBound }
    }

    private static func longestRun(of token: Signature.Token) -> Range<Int> {
        token.fixedRuns.max { $0.count < $1.count } ?? 0..<0
    }
}
