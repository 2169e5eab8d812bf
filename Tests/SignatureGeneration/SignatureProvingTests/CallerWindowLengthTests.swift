// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareReading
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport
import Testing

/// Caller windows of another length than 32 bytes are proven as those are. All bytes are data that is never run.
@Suite("A caller window of a chosen length is proven") struct CallerWindowLengthTests {
    private static let lengths = [8, 9, 15, 16, 31, 33, 64, 256]

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Code whose call lies 8 bytes before its end.
    private let code = InertInstructions.bytes(592, seed: 1) + InertInstructions.bytes(8, seed: 1001)

    private func sample(_ code: [UInt8]) -> Sample {
        Sample(
            code: ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true), callersAddress: 0x1000 + UInt64(code.count - 8),
            architecture: .x86_64, context: SignatureContext(transport: .tcp, ports: [80], direction: .toService))
    }

    private func window(_ length: Int) throws -> Signature {
        let sample = sample(code)
        return Signature(
            tokens: [.init(bytes: try CallerWindow.extract(from: sample.code, callersAddress: sample.callersAddress, length: length))],
            context: sample.context)
    }

    /// With a corpus on disk that holds these bytes among others.
    private func prover(_ length: Int, goodware extra: [UInt8] = []) throws -> SignatureProver {
        let corpus = try folder.makeFolder("corpus")
        try Data(InertInstructions.bytes(5000, seed: 7) + extra).write(to: URL(fileURLWithPath: corpus + "/file"))
        _ = try GoodwareBuilder.build(sources: [corpus], output: folder.path + "/index")
        var material = ProverMaterial(goodware: try GoodwareFile(path: folder.path + "/index"))
        material.callerWindow = length
        return SignatureProver(material)
    }

    @Test(arguments: lengths) func `of one packet, absent from goodware`(length: Int) throws {
        let given = try window(length)
        #expect(given.tokens[0].bytes.count == length)
        let proven = try #require(try prover(length).prove([sample(code)], given: given).proven.first)
        #expect(proven.signature.id == given.id && proven.proof.passed && proven.proof.allowsDropping)
        let absent = try #require(proven.proof.check(.absentFromGoodware))
        #expect(absent.outcome == .passed)
        #expect(absent.detail.contains("a search of the corpus") == (length < 32), "\(absent.detail)")
    }

    @Test(arguments: lengths) func `goodware that holds it keeps it from being proven`(length: Int) throws {
        let given = try window(length)
        let outcome = try prover(length, goodware: given.tokens[0].bytes).prove([sample(code)], given: given)
        #expect(!outcome.proven.contains { $0.signature.id == given.id })
    }

    @Test(arguments: lengths) func `it is a candidate of that length`(length: Int) throws {
        let made = try prover(length).ranked(for: [sample(code)]).first { $0.signature.provenance?.strategy == .callerWindow }
        let expected = try window(length)
        #expect(made?.signature.tokens.map(\.bytes) == expected.tokens.map(\.bytes))
        #expect(made?.score.isSubstantial == true)
    }

    @Test(arguments: [8, 12]) func `fill is none, however short a window may be`(length: Int) throws {
        let prover = try prover(length)
        for fill: [UInt8] in [[0x90], [0xcc, 0], [1, 2, 3]] {
            let bytes = (0..<length).map { fill[$0 % fill.count] }
            let proof = prover.proof(of: Signature(tokens: [.init(bytes: bytes)], context: .any))
            #expect(proof.check(.notFill)?.outcome == .failed)
        }
    }

    @Test func `fewer bytes than half a usual window need the setting, and the proof says so`() throws {
        let short = try window(8)
        let failed = try #require(try prover(32).prove([sample(code)], given: short).failed)
        #expect(failed.signature.id == short.id)
        #expect(
            failed.proof.check(.longEnough)?.detail == "8 bytes, at least 16 needed; the center's setting callerWindow allows fewer")
        // A setting of 8 takes what hosts of any length send.
        for length in Self.lengths {
            let given = try window(length)
            #expect(try prover(8).prove([sample(code)], given: given).proven.first?.signature.id == given.id, "\(length)")
        }
    }

    @Test(arguments: lengths) func `what was withdrawn is not made again, nor what holds its bytes at the call`(length: Int) throws {
        let given = try window(length)
        let outcome = try prover(length).prove([sample(code)], given: given, withdrawn: [given])
        for item in outcome.proven {
            #expect(item.signature.id != given.id && !item.signature.covers(given))
            for token in item.signature.tokens where length < 16 {
                #expect(token.bytes.firstRange(of: given.tokens[0].bytes) == nil, "\(item.signature.tokens.map(\.pattern))")
            }
        }
    }
}
