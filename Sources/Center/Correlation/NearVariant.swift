// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Whether a signature is one that a person took out of force, a little changed.
public enum NearVariant {
    /// At least so many bytes in a row are the same: fewer are by chance.
    public static let minRun = 8
    /// Of a longer run its beginning is compared: the time grows with the square.
    private static let maxRun = 1024

    /// Two signatures of one attack are near variants where one of them matches all that the other one does, or where they have a run of
    /// fixed bytes in common that is at least ``minRun`` bytes long and at least half as long as the fixed bytes of the one that has fewer.
    ///
    /// So a window that was moved by up to half of its length, one that was masked, and what several packets of the attack have in common
    /// with it are near; a signature of other bytes of the attack is not.
    public static func isNear(_ signature: Signature, to other: Signature) -> Bool {
        if signature.covers(other) || other.covers(signature) { return true }
        let run = longestCommonRun(runs(of: signature), runs(of: other))
        return run >= minRun && 2 * run >= min(fixed(signature), fixed(other))
    }

    private static func fixed(_ signature: Signature) -> Int {
        signature.tokens.reduce(0) { $0 + $1.bytes.count - $1.masked.count }
    }

    /// Fixed bytes in a row.
    private static func runs(of signature: Signature) -> [[UInt8]] {
        signature.tokens.flatMap { token in token.fixedRuns.map { Array(token.bytes[$0].prefix(maxRun)) } }
    }

    private static func longestCommonRun(_ ones: [[UInt8]], _ others: [[UInt8]]) -> Int {
        var longest = 0
        for one in ones where one.count > longest {
            for other in others where other.count > longest {
                // The length of the run that ends at each place of the other one, and at the present place of the first.
                var lengths = [Int](repeating: 0, count: other.count + 1)
                for byte in one {
                    for place in stride(from: other.count, to: 0, by: -1) {
                        lengths[place] = byte == other[place - 1] ? lengths[place - 1] + 1 : 0
                        longest = max(longest, lengths[place])
                    }
                }
            }
        }
        return longest
    }
}
