// SPDX-License-Identifier: Apache-2.0

import Signatures

/// One scan of one block of data: receives the hits of literals, and matches their signatures.
///
/// The cost is bounded however often a literal occurs: a signature is matched around at most ``maxAttempts`` hits, then
/// once in the whole block.
final class ScanRun {
    /// After this many hits around which a signature did not match, matching it in the whole block is cheaper.
    static let maxAttempts = 32

    private enum State {
        case tried(Int)
        case needsWhole
        case decided(Range<Int>?)
    }

    private let plan: ScanPlan
    private let data: UnsafeRawBufferPointer
    private var states: [Int: State] = [:]
    /// For each literal, how many of its signatures need more hits.
    private var open: [Int]
    /// How many literals have such signatures.
    private var openLiterals: Int
    /// The offset of the current part in the data.
    var base = 0

    init(_ plan: ScanPlan, data: UnsafeRawBufferPointer) {
        self.plan = plan
        self.data = data
        open = plan.literals.indices.map { plan.signatures(of: $0).count }
        openLiterals = open.count
    }

    /// - Parameter end: the offset after the literal's last byte in the current part.
    /// - Returns: whether more hits are needed.
    func hit(literal: Int, end: Int) -> Bool {
        guard open[literal] > 0 else { return true }
        let place = base + end - plan.literals[literal].count..<base + end
        for signature in plan.signatures(of: literal) { take(signature, literal: literal, place: place) }
        return openLiterals > 0
    }

    private func take(_ signature: Int, literal: Int, place: Range<Int>) {
        var tries = 0
        switch states[signature] {
        case .tried(let count)?: tries = count
        case .needsWhole?, .decided?: return
        case nil: break
        }
        switch plan.searches[signature].reach {
        case .whole:
            settle(signature, .needsWhole, literal: literal)
        case .prefix(let length):
            settle(signature, .decided(match(signature, in: 0..<min(length, data.count))), literal: literal)
        case .around(let before, let after):
            let range = max(0, place.lowerBound - before)..<min(data.count, place.upperBound + after)
            if let found = match(signature, in: range) {
                settle(signature, .decided(found), literal: literal)
            } else if tries + 1 >= Self.maxAttempts {
                settle(signature, .needsWhole, literal: literal)
            } else {
                states[signature] = .tried(tries + 1)
            }
        }
    }

    private func settle(_ signature: Int, _ state: State, literal: Int) {
        states[signature] = state
        open[literal] -= 1
        if open[literal] == 0 { openLiterals -= 1 }
    }

    private func match(_ signature: Int, in range: Range<Int>) -> Range<Int>? {
        plan.matchers[signature].match(in: UnsafeRawBufferPointer(rebasing: data[range]))
            .map { $0.lowerBound + range.lowerBound..<$0.upperBound + range.lowerBound }
    }

    /// The matches, by signature, after the last part.
    func conclude() -> [(signature: Int, place: Range<Int>)] {
        for signature in plan.withoutLiteral { states[signature] = .needsWhole }
        return states.keys.sorted().compactMap { signature in
            switch states[signature] {
            case .decided(let place?)?: (signature, place)
            case .needsWhole?: match(signature, in: 0..<data.count).map { (signature, $0) }
            default: nil
            }
        }
    }
}
