// SPDX-License-Identifier: Apache-2.0

import BenchSupport

/// The inputs of one parser, each by its number alone: the same seed gives the same input again.
struct FuzzInputs {
    let parser: FuzzParser
    let seeds: [[UInt8]]
    let seed: UInt64

    /// The first inputs are the seeds as they are.
    func input(_ number: Int) -> [UInt8] {
        guard number >= seeds.count else { return seeds[number] }
        var random = SeededRandom(seed: seed, "\(parser.name) \(number)")
        var input = seeds.randomElement(using: &random) ?? []
        Mutation(dictionary: parser.dictionary, hotPlaces: parser.hotPlaces).apply(to: &input, others: seeds, random: &random)
        parser.seal?(&input)
        return input
    }
}
