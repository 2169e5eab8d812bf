// SPDX-License-Identifier: Apache-2.0

import func Glibc.log

/// Whether samples have a run in common because they are alike, or by chance.
///
/// The expected number of chance finds (an E-value in the sense of Karlin and Altschul 1990) of a run in K of N samples
/// is at most: the places of the reference, times the ways to choose the other K - 1 samples, times the chance that
/// each of them holds the run somewhere. The chance of a run is the product of its bytes' frequencies in the samples.
struct Significance {
    /// Runs that are expected to be found by chance more often than this are no tokens.
    static let mostExpected = 1e-3

    /// In natural logarithms.
    private let byteChance: [Double]

    /// - Parameter samples: where the frequencies of bytes are counted.
    init(samples: [[UInt8]]) {
        var counts = [Double](repeating: 0, count: 256)
        for sample in samples { for byte in sample { counts[Int(byte)] += 1 } }
        let total = max(1, counts.reduce(0, +))
        // A byte that is rarer than in random fill is not held to be rarer: fill may yet be random.
        byteChance = counts.map { log(max($0 / total, 1 / 256)) }
    }

    /// The natural logarithm of a run's chance at one place.
    func chance(of run: some Sequence<UInt8>) -> Double {
        run.reduce(0) { $0 + byteChance[Int($1)] }
    }

    /// - Parameters:
    ///   - places: in the reference.
    ///   - others: the mean length of the other samples.
    func isSignificant(_ run: [UInt8], places: Int, others: Double, heldBy count: Int, of samples: Int) -> Bool {
        guard count >= 2 else { return false }
        let each = min(0, log(max(1, others)) + chance(of: run))
        let choices = Self.logarithmOfChoices(count - 1, of: samples - 1)
        return log(Double(max(1, places))) + choices + Double(count - 1) * each < log(Self.mostExpected)
    }

    /// The natural logarithm of n over k.
    static func logarithmOfChoices(_ chosen: Int, of all: Int) -> Double {
        guard chosen > 0, chosen < all else { return 0 }
        return (1...min(chosen, all - chosen)).reduce(0) { $0 + log(Double(all - $1 + 1) / Double($1)) }
    }
}
