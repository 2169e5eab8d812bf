// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing

@testable import SignatureMaking

@Suite("One reporter's many samples are one voice")
struct ReporterTurnsTests {
    /// - Parameter seed: of the bytes before the call.
    private func samples(_ count: Int, by reporter: String?, seed: UInt64) -> [Sample] {
        (0..<count).map { number in
            var random = SeededGenerator(seed: seed * 1000 + UInt64(number))
            let noise = (0..<40).map { _ in UInt8.random(in: 0...255, using: &random) }
            let code = noise + InertInstructions.bytes(48, seed: seed)
            var sample = Sample(
                code: ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true), callersAddress: 0x1000 + UInt64(code.count),
                architecture: .x86_64, context: .any)
            sample.reporter = reporter
            return sample
        }
    }

    @Test func `the reference is one to which most reporters' samples are alike, however many one sent`() throws {
        let junk = samples(40, by: "intruder", seed: 1)
        let attack = samples(1, by: "a", seed: 2) + samples(1, by: "b", seed: 2)
        for all in [junk + attack, attack + junk] {
            let (reference, alike) = try #require(SignatureCandidates.reference(of: all))
            #expect(all[reference].reporter == "a")
            #expect(alike.map { all[$0].reporter } == ["a", "b"])
        }
        // Of as many reporters most samples count, and then the oldest.
        let more = samples(2, by: "a", seed: 2)
        #expect(SignatureCandidates.reference(of: junk.prefix(1) + more).map { $0.sample } == 1)
        #expect(SignatureCandidates.reference(of: more + samples(2, by: "b", seed: 3)).map { $0.sample } == 0)
        let nobodys = samples(3, by: nil, seed: 4)
        #expect(SignatureCandidates.reference(of: junk + nobodys).map { $0.sample } == junk.count)
    }

    @Test func `each reporter's newest are taken in turn`() {
        let all = samples(30, by: "intruder", seed: 1) + samples(2, by: "a", seed: 2) + samples(1, by: "b", seed: 2)
        #expect(ReporterTurns.newest(16, of: all) == Array(17..<33))
        let flooded = samples(2, by: "a", seed: 2) + samples(30, by: "intruder", seed: 1)
        #expect(ReporterTurns.newest(3, of: flooded) == [1, 30, 31])
        #expect(ReporterTurns.newest(100, of: flooded) == Array(flooded.indices))
    }

    @Test func `of no reporter more samples are compared than of all others`() {
        let flooded = samples(2, by: "a", seed: 2) + samples(30, by: "intruder", seed: 1) + samples(1, by: "b", seed: 2)
        #expect(ReporterTurns.balanced(64, of: flooded) == [0, 1, 29, 30, 31, 32])
        let alone = samples(30, by: "a", seed: 2)
        #expect(ReporterTurns.balanced(64, of: alone) == Array(0..<30), "one alone is not held back")
        #expect(ReporterTurns.balanced(4, of: samples(6, by: nil, seed: 1)) == [2, 3, 4, 5])
    }
}
