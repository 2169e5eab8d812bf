// SPDX-License-Identifier: Apache-2.0

import TestSupport

/// The inputs of one parser. Each depends only on its number and the seed, so that it can be made again.
struct FuzzInputs {
    let parser: FuzzParser
    let seeds: [[UInt8]]
    let seed: UInt64

    /// The first inputs are the unchanged seeds.
    func input(_ number: Int) -> [UInt8] {
        guard number >= seeds.count else { return seeds[number] }
        var random = SeededGenerator(seed: seed, "\(parser.name) \(number)")
        var input = seeds.randomElement(using: &random) ?? []
        Mutation(dictionary: parser.dictionary, hotPlaces: parser.hotPlaces).apply(to: &input, others: seeds, random: &random)
        parser.seal?(&input)
        return input
    }
}
