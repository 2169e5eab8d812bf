// SPDX-License-Identifier: Apache-2.0

import func Glibc.log

/// Decides whether samples have a run in common because they are related, or by chance.
///
/// The expected number of chance hits (an E-value in the sense of Karlin and Altschul 1990) of a run in K of N samples is
/// at most the number of positions in the reference, times the ways to choose the other K - 1 samples, times the
/// probability that each of them contains the run. The probability of a run is the product of its bytes' frequencies.
struct Significance {
    /// Runs with more expected chance hits than this don't become tokens.
    static let maxExpected = 1e-3

    /// No byte counts as rarer than in random fill, since the fill of later samples may be random.
    static let leastByteChance = log(1.0 / 256)

    /// In natural logarithms.
    private let byteChance: [Double]
    /// That of the rarest byte that the samples have.
    let rarest: Double
    /// By what the chance of a run may differ as it is added up in one way or another.
    static let rounding = 1e-6

    /// - Parameter samples: the data to count the frequencies of bytes in.
    init(samples: [[UInt8]]) {
        var counts = [Int](repeating: 0, count: 256)
        counts.withUnsafeMutableBufferPointer { counts in
            for sample in samples { for byte in sample { counts[Int(byte)] += 1 } }
        }
        let total = Double(max(1, counts.reduce(0, +)))
        let byteChance = counts.map { max(log(Double($0) / total), Self.leastByteChance) }
        rarest = zip(counts, byteChance).reduce(0) { $1.0 == 0 ? $0 : min($0, $1.1) }
        self.byteChance = byteChance
    }

    /// The natural logarithm of a run's probability at one position.
    func chance(of run: some Sequence<UInt8>) -> Double {
        run.reduce(0) { $0 + byteChance[Int($1)] }
    }

    /// The natural logarithms of the probabilities of a text's runs, each at the cost of a subtraction.
    struct RunChances {
        private let sums: [Double]

        fileprivate init(_ sums: [Double]) {
            self.sums = sums
        }

        /// Rounded, so that equal runs are equally probable wherever they are.
        func of(_ range: Range<Int>) -> Double {
            ((sums[range.upperBound] - sums[range.lowerBound]) * 1e6).rounded() / 1e6
        }
    }

    func chances(in text: [UInt8]) -> RunChances {
        var sums = [0.0]
        sums.reserveCapacity(text.count + 1)
        for byte in text { sums.append(sums[sums.count - 1] + byteChance[Int(byte)]) }
        return RunChances(sums)
    }

    /// - Parameters:
    ///   - chance: the natural logarithm of the run's probability at one position.
    ///   - places: the number of positions in the reference.
    ///   - others: the mean length of the other samples.
    func isSignificant(chance: Double, places: Int, others: Double, heldBy count: Int, of samples: Int) -> Bool {
        guard count >= 2 else { return false }
        let each = min(0, log(max(1, others)) + chance)
        let choices = Self.logarithmOfChoices(count - 1, of: samples - 1)
        return log(Double(max(1, places))) + choices + Double(count - 1) * each < log(Self.maxExpected)
    }

    /// The chance, as a natural logarithm, above which no run that both of two samples hold is significant. A run below it may be one
    /// that is not: it is rounded up.
    static func maxChanceInBoth(places: Int, others: Double) -> Double {
        log(maxExpected) - log(Double(max(1, places))) - log(max(1, others)) + rounding
    }

    /// The natural logarithm of n over k.
    static func logarithmOfChoices(_ chosen: Int, of all: Int) -> Double {
        guard chosen > 0, chosen < all else { return 0 }
        return (1...min(chosen, all - chosen)).reduce(0) { $0 + log(Double(all - $1 + 1) / Double($1)) }
    }
}
