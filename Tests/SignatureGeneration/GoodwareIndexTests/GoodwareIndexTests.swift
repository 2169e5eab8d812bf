// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GoodwareIndex
import Signatures
import TestSupport
import Testing

extension SeededGenerator {
    mutating func bytes(_ count: Int, below limit: UInt8 = .max) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...limit, using: &self) }
    }
}

@Suite struct GoodwareIndexTests {
    /// Every window of every file is present, also where there are few different bytes and many repetitions.
    @Test(arguments: 0..<40)
    func `no window of the corpus is absent`(seed: Int) {
        var numbers = SeededGenerator(seed: UInt64(seed))
        let limit: UInt8 = [255, 1, 3, 0][seed % 4]
        let corpus = (0..<6).map { _ in numbers.bytes(Int.random(in: 0...700, using: &numbers), below: limit) }
        let index = GoodwareIndex(of: corpus)
        for file in corpus {
            let absent = index.absentWindows(in: file)
            #expect(absent.count == max(0, file.count - 31))
            #expect(!absent.contains(true))
        }
    }

    /// Whatever is called absent is found by no exact search; windows of the corpus, its files' ends too, are planted.
    @Test(arguments: 0..<20)
    func `an absent window is absent by exact search`(seed: Int) {
        var numbers = SeededGenerator(seed: 1000 + UInt64(seed))
        let corpus = (0..<4).map { _ in numbers.bytes(Int.random(in: 32...400, using: &numbers), below: seed % 2 == 0 ? 255 : 1) }
        let index = GoodwareIndex(of: corpus)
        let known = Set(corpus.flatMap { file in (0...(file.count - 32)).map { Array(file[$0..<($0 + 32)]) } })
        var query = numbers.bytes(100, below: seed % 2 == 0 ? 255 : 1)
        for file in corpus {
            for start in [0, file.count - 32, Int.random(in: 0...(file.count - 32), using: &numbers)] {
                query += file[start..<(start + 32)] + numbers.bytes(Int.random(in: 0...40, using: &numbers), below: 1)
            }
        }
        let wrong = index.absentWindows(in: query).enumerated().filter { place, absent in
            absent && known.contains(Array(query[place..<(place + 32)]))
        }
        #expect(wrong.isEmpty)
    }

    @Test func `nearly all foreign windows are proven absent`() {
        var numbers = SeededGenerator(seed: 7)
        let index = GoodwareIndex(of: [numbers.bytes(60000)])
        let absent = index.absentWindows(in: numbers.bytes(60000))
        // One gram in 256 is found by chance.
        #expect(absent.filter { !$0 }.count < absent.count / 100)
    }

    @Test func `every window is absent from an empty corpus`() {
        let index = GoodwareIndex(of: [])
        #expect(index.absentWindows(in: [UInt8](repeating: 1, count: 33)) == [true, true])
        #expect(index.absentWindows(in: [UInt8](repeating: 1, count: 31)) == [])
        #expect(index.corpusBytes == 0)
    }

    @Test func `an index has at most four bytes for 32 bytes of goodware`() {
        var numbers = SeededGenerator(seed: 11)
        let bytes = numbers.bytes(300_000)
        let index = GoodwareIndex(of: [bytes, bytes])
        #expect(index.corpusBytes == 600_000)
        let contents = index.segments[0].contents
        #expect(abs(Double(contents.distinctBytes) / 300_000 - 1) < 0.1)
        // Small filters need more room: a large corpus is at 3.8.
        #expect(Double(index.segments[0].slotBytes) * 32 / 300_000 < 4.4)
    }

    @Test func `a signature is absent when one of its fixed runs is`() {
        var numbers = SeededGenerator(seed: 5)
        let goodware = numbers.bytes(2000)
        let index = GoodwareIndex(of: [goodware])
        let foreign = numbers.bytes(64)
        func signature(_ tokens: Signature.Token...) -> Signature {
            Signature(tokens: tokens, arrangement: .sequence, context: .any)
        }
        #expect(index.provesAbsence(of: signature(.init(bytes: foreign))))
        #expect(index.provesAbsence(of: signature(.init(bytes: Array(goodware[5..<100])), .init(bytes: foreign))))
        #expect(!index.provesAbsence(of: signature(.init(bytes: Array(goodware[100..<200])))))
        // Two runs of 31 bytes with a masked one between them: the index can't speak of either.
        #expect(!index.provesAbsence(of: signature(.init(bytes: Array(foreign[..<63]), masked: [31]))))
    }

    @Test func `common bytes have less surprise`() {
        let text = Array("the quick brown fox jumps over the lazy dog and the other dog ".utf8)
        let index = GoodwareIndex(of: Array(repeating: text, count: 30))
        #expect(index.surprise(of: Array("the dog".utf8)) < index.surprise(of: [0xf7, 1, 0x9c, 0x3e, 0x80, 0xff, 0]))
        #expect(index.surprise(of: []) == 0)
        // Nothing known: 8 bits a byte.
        #expect(abs(GoodwareIndex(of: []).surprise(of: [1, 2, 3]) - 24) < 1e-4)
    }

    /// Found by fuzzing: an index file may state any number of sampled keys.
    @Test func `counts of a forged file are not multiplied beyond their type`() {
        #expect(IndexSegment.Contents(sampledKeys: .max).distinctBytes == .max)
        #expect(IndexSegment.Contents(sampledKeys: 3).distinctBytes == 3 * GramSelection.sampling)
    }
}
