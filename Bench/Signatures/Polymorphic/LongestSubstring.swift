// SPDX-License-Identifier: Apache-2.0

import Signatures

/// The signatures of the first generators (Honeycomb, Autograph, EarlyBird), as Polygraph measured them: the longest
/// run that all samples share. Measured here beside ours, it shows how our benign streams compare with Polygraph's.
enum LongestSubstring {
    static func signature(of samples: [[UInt8]], context: SignatureContext) -> Signature? {
        guard let shortest = samples.min(by: { $0.count < $1.count }) else { return nil }
        var best: [UInt8]?
        // A run that all share shares its parts, too, so the length can be halved upon.
        var (low, high) = (1, shortest.count)
        while low <= high {
            let length = (low + high) / 2
            if let run = common(samples, length: length) {
                best = run
                low = length + 1
            } else {
                high = length - 1
            }
        }
        return best.map { Signature(tokens: [.init(bytes: $0)], context: context) }
    }

    private static func common(_ samples: [[UInt8]], length: Int) -> [UInt8]? {
        func runs(_ sample: [UInt8]) -> Set<ArraySlice<UInt8>> {
            sample.count < length ? [] : Set((0...sample.count - length).map { sample[$0..<$0 + length] })
        }
        var shared = runs(samples[0])
        for sample in samples.dropFirst() where !shared.isEmpty { shared.formIntersection(runs(sample)) }
        // The first of several, by value, so that every run of the experiment takes the same.
        return shared.min { $0.lexicographicallyPrecedes($1) }.map(Array.init)
    }
}
