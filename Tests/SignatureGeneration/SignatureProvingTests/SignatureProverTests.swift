// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GoodwareIndex
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport
import Testing

@Suite("Signatures are proven before they are delivered")
struct SignatureProverTests {
    private let prover = SignatureProver(ProverMaterial(goodware: nil, isGoodwareRequired: false))

    /// A call's bytes end after 64.
    private func code(_ seed: UInt64) -> [UInt8] {
        InertInstructions.bytes(64, seed: seed) + InertInstructions.bytes(32, seed: seed + 1000)
    }

    private func sample(_ bytes: [UInt8]) -> Sample {
        Sample(
            code: ExtractedCode(base: 0x1000, bytes: bytes, isWholeRegion: true), callersAddress: 0x1000 + 64,
            architecture: .x86_64, context: .any)
    }

    private func window(_ bytes: [UInt8]) -> Signature {
        Signature(tokens: [.init(bytes: Array(bytes[32..<64]))], context: .any)
    }

    @Test func `one packet gives a proven signature`() throws {
        let outcome = prover.prove([sample(code(1))], given: window(code(1)))
        let proven = try #require(outcome.proven.first)
        #expect(proven.signature.matches(code(1)))
        #expect(!proven.signature.matches(code(2)))
        #expect(proven.proof.passed)
        #expect(
            proven.proof.checks.map(\.name) == [
                .wellFormed, .matchesSamples, .longEnough, .notFill, .notText, .ofTheCode, .atTheCall, .absentFromGoodware, .onTheWire,
                .noBenignFlow, .engineSuricata, .cost,
            ])
    }

    @Test func `nothing is proven without the required goodware`() {
        let strict = SignatureProver(ProverMaterial(goodware: nil))
        let outcome = strict.prove([sample(code(1))], given: window(code(1)))
        #expect(outcome.proven.isEmpty)
        let failed = outcome.failed?.proof.checks.filter { $0.outcome == .failed }.map(\.name)
        #expect(failed == [.absentFromGoodware])
    }

    @Test func `code that the evidence is not of makes no signature`() throws {
        var own = sample(code(1))
        own.isMaliciousCode = false
        let outcome = prover.prove([own, own], given: window(code(1)))
        #expect(outcome.proven.isEmpty)
        let failed = try #require(outcome.failed)
        #expect(failed.proof.checks.map(\.name) == [.ofMaliciousCode])
        #expect(failed.proof.checks.first?.outcome == .failed)
    }

    @Test func `signatures of a cluster are made of its malicious code alone`() throws {
        var own = sample(code(2))
        own.isMaliciousCode = false
        let outcome = prover.prove([own, sample(code(1))], given: window(code(2)))
        #expect(outcome.proven.contains { $0.signature.matches(code(1)) })
        #expect(!outcome.proven.contains { $0.signature.matches(code(2)) })
    }

    @Test func `a packet is malicious code by its evidence`() {
        func sample(_ kinds: [EvidenceKind]) -> Sample {
            var packet = Samples.packet()
            packet.evidence = kinds.map { Evidence(kind: $0, detail: "") }
            return Sample(packet)
        }
        #expect(!sample([.impossibleReturn]).isMaliciousCode)
        #expect(!sample([.packedProgram, .deeperInStack]).isMaliciousCode)
        #expect(sample([.writtenFile, .uncheckedReturn]).isMaliciousCode)
    }

    @Test func `fill is never proven`() {
        let fill = [UInt8](repeating: 0x90, count: 96)
        let outcome = prover.prove([sample(fill)], given: window(fill))
        #expect(outcome.proven.isEmpty)
        #expect(outcome.failed?.proof.passed == false)
    }

    @Test func `the proof states how many packets within the noise share are missed`() throws {
        let outcome = prover.prove(
            [sample(code(1)), sample(code(1)), sample([UInt8](repeating: 0, count: 96))], given: window(code(1)))
        let check = try #require(outcome.proven.first?.proof.check(.matchesSamples))
        #expect(check.outcome == .passed)
        #expect(check.detail.contains("2 of 3") && check.detail.contains("within the noise share"))
    }

    @Test func `missing more packets than the noise share fails`() {
        let blank = sample([UInt8](repeating: 0, count: 96))
        let outcome = prover.prove([sample(code(1)), blank, blank], given: window(code(1)))
        #expect(outcome.proven.isEmpty)
        let check = outcome.failed?.proof.check(.matchesSamples)
        #expect(check?.outcome == .failed)
    }

    @Test func `a signature without its packets is proven as far as that goes`() {
        let proof = prover.proof(of: window(code(1)))
        #expect(proof.passed)
        #expect(proof.check(.matchesSamples) == nil)
    }

    /// Suricata stops trying after 3,000 copies of a token before the right one: a datagram has room for so many.
    @Test func `the proof says that copies of a token get past a rule that bounds the gap behind it`() {
        func detail(_ transport: TransportProtocol, gap: ClosedRange<Int>?) -> String? {
            let tokens = [
                Signature.Token(bytes: Array(code(1)[0..<24])), Signature.Token(bytes: Array(code(1)[30..<54]), gap: gap),
            ]
            let context = SignatureContext(transport: transport, ports: [9999], direction: .toService)
            return prover.proof(of: Signature(tokens: tokens, context: context)).check(.engineSuricata)?.detail
        }
        #expect(detail(.udp, gap: 1...20)?.contains("thousands of copies") == true)
        #expect(detail(.udp, gap: nil)?.contains("thousands of copies") == false)
        #expect(detail(.tcp, gap: 1...20)?.contains("thousands of copies") == false)
    }

    @Test func `an index proves that a signature is absent from goodware`() throws {
        let prover = SignatureProver(ProverMaterial(index: GoodwareIndex(of: [code(2) + code(3)])))
        let outcome = prover.prove([sample(code(1))], given: window(code(1)))
        let check = try #require(outcome.proven.first?.proof.check(.absentFromGoodware))
        #expect(check.outcome == .passed)
    }

    /// An allergy attack: a reporter sends ordinary program bytes.
    @Test func `a signature that goodware contains is never proven`() {
        let prover = SignatureProver(ProverMaterial(index: GoodwareIndex(of: [code(2) + code(1) + code(3)])))
        let outcome = prover.prove([sample(code(1))], given: window(code(1)))
        #expect(outcome.proven.isEmpty)
        let failed = outcome.failed?.proof.checks.filter { $0.outcome == .failed }.map(\.name)
        #expect(failed == [.absentFromGoodware])
    }

    /// A reporter, or a site that forwards, names bytes of the request's head as the signature.
    @Test(arguments: ProtocolHead.all.filter { $0.bytes.count >= 32 })
    func `a given signature of the head is not proven`(head: ProtocolHead) throws {
        let bytes = head.bytes + code(1)
        let sample = Sample(
            code: ExtractedCode(base: 0x1000, bytes: bytes, isWholeRegion: true), callersAddress: 0x1000 + UInt64(bytes.count - 32),
            architecture: .x86_64, context: .any)
        let middle = head.bytes.count / 2
        let given = Signature(tokens: [.init(bytes: Array(head.bytes[middle - 16..<middle + 16]))], context: .any)
        let outcome = prover.prove([sample], given: given)
        #expect(!outcome.proven.contains { $0.signature.matches(head.bytes) })
        #expect(!outcome.proven.isEmpty)
        let failed = try #require(outcome.failed).proof.checks.filter { $0.outcome == .failed }.map(\.name)
        // The middle of NTP's is zeros.
        #expect(head.name == "NTP" ? failed == [.notFill] : failed == [.notText] || failed == [.ofTheCode], "\(failed)")
    }

    @Test func `bytes away from the call are told from those at it`() throws {
        let near = try #require(prover.prove([sample(code(1))], given: window(code(1))).proven.first)
        #expect(near.proof.check(.atTheCall)?.outcome == .passed)
        let far = Signature(tokens: [.init(bytes: Array(code(1)[0..<32]))], context: .any)
        let away = try #require(prover.prove([sample(code(1))], given: far).proven.first)
        #expect(away.signature == far)
        #expect(away.proof.check(.ofTheCode)?.outcome == .passed)
        #expect(away.proof.check(.atTheCall)?.outcome == .notChecked)
    }

    @Test func `if the call is in goodware the signature is made of other code`() throws {
        let whole = code(1)
        let prover = SignatureProver(ProverMaterial(index: GoodwareIndex(of: [code(2) + Array(whole[28..<68])])))
        let proven = try #require(prover.prove([sample(whole)], given: window(whole)).proven.first)
        #expect(proven.signature.id != window(whole).id)
        #expect(proven.signature.matches(whole))
        #expect(!proven.signature.matches(Array(whole[28..<68])))
        #expect(proven.signature.provenance != nil)
    }
}
