// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GoodwareIndex
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport
import Testing

/// Bytes of goodware draw packets into one cluster that nothing can be proven of, and an attack carries them, too.
@Suite("One reporter's junk delays no signature of what others report")
struct ImmunisedClusterTests {
    private static func random(_ count: Int, seed: Int) -> [UInt8] {
        var random = SeededGenerator(seed: UInt64(seed))
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// What the intruder reports, and its attack carries; and other goodware.
    private static let carried = InertInstructions.bytes(32, seed: 1)
    private static let goodware = InertInstructions.bytes(4096, seed: 900) + carried + InertInstructions.bytes(4096, seed: 901)
    private static let given = Signature(tokens: [.init(bytes: carried)], context: .any)

    private let prover = SignatureProver(ProverMaterial(index: GoodwareIndex(of: [ImmunisedClusterTests.goodware])))

    private func sample(_ bytes: [UInt8], caller: Int, by reporter: String?) -> Sample {
        var sample = Sample(
            code: ExtractedCode(base: 0x1000, bytes: bytes, isWholeRegion: true), callersAddress: 0x1000 + UInt64(caller),
            architecture: .x86_64, context: .any)
        sample.reporter = reporter
        return sample
    }

    private func junk(_ count: Int, by reporter: String = "intruder") -> [Sample] {
        (0..<count).map { number in
            sample(
                Self.random(100, seed: 1000 + number) + Self.carried + Self.random(60, seed: 2000 + number), caller: 132, by: reporter)
        }
    }

    /// Caught at a call elsewhere than the intruder's bytes.
    private func attack(_ number: Int) -> [UInt8] {
        let own = InertInstructions.bytes(60, seed: 3)
        return Self.random(20 + number % 40, seed: 3000 + number) + own + Self.carried + InertInstructions.bytes(80, seed: 4)
    }

    private func attacks(_ count: Int, by reporter: String, from first: Int = 0) -> [Sample] {
        (first..<first + count).map { number in
            sample(attack(number), caller: 20 + number % 40 + 60, by: reporter)
        }
    }

    private func isProven(_ samples: [Sample]) -> Bool {
        let result = prover.prove(samples, given: Self.given)
        return result.proven.contains { $0.signature.matches(attack(77)) && $0.proof.passed && !$0.signature.matches(Self.goodware) }
    }

    @Test func `junk alone makes no signature`() {
        #expect(prover.prove(junk(1), given: Self.given).proven.isEmpty)
        #expect(isProven(attacks(5, by: "a")))
    }

    @Test(arguments: [1, 5, 17, 61, 200])
    func `the attack is proven by few reports, before or behind the junk`(count: Int) {
        #expect(isProven(junk(count) + attacks(1, by: "a")))
        #expect(isProven(attacks(1, by: "a") + junk(count)))
        #expect(isProven(junk(count) + attacks(5, by: "a") + attacks(2, by: "b", from: 10)))
        #expect(isProven(junk(count) + (0..<7).flatMap { attacks(2, by: "host-\($0)", from: $0 * 2) }))
    }

    @Test func `junk of many kinds takes one turn`() {
        // Each has its own bytes at the call, of goodware as well.
        let kinds = (0..<40).map { number in
            let own = Array(Self.goodware[number * 64..<number * 64 + 64])
            return sample(Self.carried + own, caller: 96, by: "intruder")
        }
        #expect(isProven(kinds + attacks(1, by: "a")))
    }

    @Test func `junk that can be proven takes no more than one turn, either`() {
        // Each has bytes of its own at the call: a signature could be made of any.
        let kinds = (0..<40).map { number in
            sample(Self.carried + InertInstructions.bytes(64, seed: UInt64(500 + number)), caller: 96, by: "intruder")
        }
        #expect(isProven(kinds + attacks(1, by: "a")))
    }

    @Test func `junk that is alike to the attack at the call does not take it along`() {
        // The intruder knows the attack's bytes there, and has half of them.
        let window = Array(attack(0)[20 + 60 - 32..<20 + 60])
        let alike = zip(window, Self.goodware[500..<532]).enumerated().map { $0.offset % 2 == 0 ? $0.element.0 : $0.element.1 }
        let imitation = (0..<20).map { _ in sample(Self.carried + alike, caller: 64, by: "intruder") }
        // It is goodware, so that nothing is proven of it.
        let goodware = Self.goodware + Self.carried + alike
        let prover = SignatureProver(ProverMaterial(index: GoodwareIndex(of: [goodware])))
        for attacks in [attacks(3, by: "a"), attacks(1, by: "a") + attacks(1, by: "b", from: 5)] {
            let result = prover.prove(imitation + attacks, given: Self.given)
            #expect(result.proven.contains { $0.signature.matches(attack(77)) })
        }
    }

    @Test func `what is tried is bounded`() {
        // Ten reporters of junk, each with its own kind.
        let kinds = (0..<10).flatMap { number in
            (0..<3).map { _ in sample(Self.carried + Self.goodware[number * 64..<number * 64 + 64], caller: 96, by: "intruder-\(number)") }
        }
        let result = prover.prove(kinds, given: Self.given)
        #expect(result.proven.isEmpty && result.failed?.proof.passed == false)
    }
}
