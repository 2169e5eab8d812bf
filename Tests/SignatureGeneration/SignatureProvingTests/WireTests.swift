// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport
import Testing

/// What captures and the goodware's own files say of a signature. All bytes are data that is never run.
@Suite("Proofs by captures and corpora") struct WireTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// In the shape of code, in which an instruction ends 8 bytes before the end.
    private func instructions(_ count: Int, seed: UInt64) -> [UInt8] {
        InertInstructions.bytes(count - 8, seed: seed) + InertInstructions.bytes(8, seed: seed + 1000)
    }

    /// Code whose call lies near its end, sent to a web server.
    private func sample(_ code: [UInt8]) -> Sample {
        Sample(
            code: ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true), callersAddress: 0x1000 + UInt64(code.count - 8),
            architecture: .x86_64, context: SignatureContext(transport: .tcp, ports: [80], direction: .toService))
    }

    private func window(_ code: [UInt8]) -> Signature {
        Signature(tokens: [.init(bytes: Array(code[(code.count - 40)..<(code.count - 8)]))], context: .any)
    }

    /// A capture of one stream to each port.
    private func capture(_ name: String, _ streams: [(port: UInt16, bytes: [UInt8])]) throws -> String {
        let path = folder.path + "/" + name
        let frames = streams.enumerated().flatMap { index, stream in
            let client = (host: UInt8(1), port: UInt16(40000 + index))
            return [
                NetworkFrame.tcp(from: client, to: (2, stream.port), sequence: 0, flags: .syn),
                NetworkFrame.tcp(from: client, to: (2, stream.port), sequence: 1, stream.bytes),
            ]
        }
        try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// With an index of goodware that holds none of the code.
    private func prover(captures: [String] = [], benign: [String] = []) -> SignatureProver {
        SignatureProver(
            ProverMaterial(index: GoodwareIndex(of: [bytes(3000, seed: 99)]), captures: captures, benignCaptures: benign))
    }

    @Test func `the signature of encoded code is made of its decoder`() throws {
        let code = instructions(400, seed: 1)
        let stream = bytes(100, seed: 2) + code[..<120] + code[120...].map { $0 ^ 0x5a }
        let captureSet = try capture("log.pcap", [(80, bytes(300, seed: 3)), (80, stream)])
        let proven = try #require(prover(captures: [captureSet]).prove([sample(code)], given: window(code)).proven.first)
        #expect(proven.signature.matches(stream))
        #expect(proven.signature.matches(Array(code[..<120])))
        #expect(proven.proof.check(.onTheWire)?.outcome == .passed)
    }

    @Test func `a flow that carries several samples counts once`() throws {
        let code = instructions(400, seed: 1)
        let captureSet = try capture("log.pcap", [(80, code), (80, code)])
        let proof = prover(captures: [captureSet]).prove([sample(code), sample(code), sample(code)], given: window(code)).proven.first?
            .proof
        #expect(proof?.check(.onTheWire)?.detail == "in 2 of 2 captured flows that carried the code")
    }

    /// Variants with a decoder in common: the flow of each carries some of the code of all.
    @Test func `what only another variant's flow holds is not of a packet`() throws {
        let decoder = instructions(48, seed: 1)
        func variant(_ number: UInt64) -> [UInt8] { bytes(60, seed: 10 + number) + decoder + bytes(100, seed: 20 + number) }
        let codes = (0..<5).map { variant($0) }
        let captureSet = try capture("log.pcap", codes.map { (80, $0) })
        let result = prover(captures: [captureSet]).prove(codes.map(sample), given: window(codes[0]))
        let proven = try #require(result.proven.first)
        #expect(codes.allSatisfy { proven.signature.matches($0) } && proven.signature.matches(variant(9)), "\(result)")
        #expect(proven.proof.check(.matchesSamples)?.detail.hasPrefix("5 of 5") == true)
        // The first packet's own bytes are no signature of the others.
        #expect(!result.proven.contains { $0.signature.id == window(codes[0]).id })
    }

    @Test func `flows that carry a little of the code don't keep out the one that carries it`() throws {
        let code = instructions(400, seed: 1)
        let decoys = (0..<20).map { (port: UInt16(80), bytes: bytes(30, seed: UInt64($0)) + code[..<40]) }
        let captureSet = try capture("log.pcap", decoys + [(80, code)])
        let proven = prover(captures: [captureSet]).prove([sample(code)], given: window(code)).proven
        #expect(proven.first?.signature.id == window(code).id)
        #expect(proven.first?.proof.check(.onTheWire)?.outcome == .passed)
    }

    private func proverWithoutGoodware(_ captures: [String]) -> SignatureProver {
        SignatureProver(ProverMaterial(goodware: nil, isGoodwareRequired: false, captures: captures))
    }

    @Test func `tokens too far apart for an engine are no proof, whatever the matcher finds`() throws {
        let code = instructions(6000, seed: 1)
        let context = SignatureContext(transport: .tcp, ports: [80], direction: .toService)
        let near = [400, 4000].map { Signature.Token(bytes: Array(code[$0..<$0 + 24])) }
        let prover = proverWithoutGoodware([try capture("log.pcap", [(80, code)])])
        let open = Signature(tokens: near, context: context)
        let result = prover.prove([sample(code)], given: open)
        #expect(open.matches(code) && !result.proven.contains { $0.signature.id == open.id })
        #expect(result.failed?.proof.check(.onTheWire)?.detail.contains("further apart than an engine sees") == true)
        let far = [near[0], Signature.Token(bytes: near[1].bytes, gap: 3500...3600)]
        let check = prover.proof(of: Signature(tokens: far, context: context)).check(.engineSuricata)
        #expect(check?.outcome == .failed && check?.detail.contains("3548 bytes") == true)
        // A datagram is looked at as a whole.
        let datagram = SignatureContext(transport: .udp, ports: [53], direction: .toService)
        #expect(prover.proof(of: Signature(tokens: far, context: datagram)).check(.engineSuricata)?.outcome != .failed)
    }

    @Test func `nothing is proven by an index that is cut short while it is in use`() throws {
        let code = instructions(400, seed: 1)
        let (corpus, path) = (try folder.makeFolder("corpus"), folder.path + "/index")
        try Data(bytes(3000, seed: 9)).write(to: URL(fileURLWithPath: corpus + "/file"))
        _ = try GoodwareBuilder.build(sources: [corpus], output: path)
        let prover = SignatureProver(ProverMaterial(goodware: try GoodwareFile(path: path)))
        #expect(!prover.prove([sample(code)], given: window(code)).proven.isEmpty)
        try FileHandle(forWritingTo: URL(fileURLWithPath: path)).truncate(atOffset: 0)
        let outcome = prover.prove([sample(code)], given: window(code))
        #expect(outcome.proven.isEmpty)
        #expect(outcome.failed?.proof.check(.absentFromGoodware)?.detail.contains("was written while it was in use") == true)
    }

    @Test func `a stream that the rule does not apply to is not evidence`() throws {
        let code = instructions(400, seed: 1)
        let captureSet = try capture("log.pcap", [(8080, code)])
        let proven = try #require(prover(captures: [captureSet]).prove([sample(code)], given: window(code)).proven.first)
        #expect(proven.signature.id == window(code).id)
        #expect(proven.proof.check(.onTheWire)?.outcome == .notChecked)
    }

    @Test func `a capture that grows is read again`() throws {
        let code = instructions(400, seed: 1)
        let captureSet = try capture("log.pcap", [(80, bytes(300, seed: 3))])
        let prover = prover(captures: [captureSet])
        for _ in 0..<2 {
            let proof = prover.prove([sample(code)], given: window(code)).proven.first?.proof
            #expect(proof?.check(.onTheWire)?.outcome == .notChecked)
        }
        _ = try capture("log.pcap", [(80, bytes(300, seed: 3)), (80, code)])
        let proof = prover.prove([sample(code)], given: window(code)).proven.first?.proof
        #expect(proof?.check(.onTheWire)?.outcome == .passed)
    }

    @Test func `a signature that matches a benign flow is not proven`() throws {
        let code = instructions(60, seed: 4)
        let benign = try capture("benign.pcap", [(25, bytes(50, seed: 5) + code)])
        let outcome = prover(benign: [benign]).prove([sample(code)], given: window(code))
        #expect(outcome.proven.isEmpty)
        #expect(outcome.failed?.proof.check(.noBenignFlow)?.outcome == .failed)
        // Only a part of it is benign: the rest still speaks.
        let longer = instructions(400, seed: 6)
        let part = try capture("part.pcap", [(25, Array(longer[350...]))])
        let proven = try #require(prover(benign: [part]).prove([sample(longer)], given: window(longer)).proven.first)
        #expect(!proven.signature.matches(Array(longer[350...])))
    }

    @Test func `a signature that is sought in bodies is compared with benign bodies`() throws {
        let code = instructions(200, seed: 4)
        let carrier = try capture("log.pcap", [(80, HTTPText.chunkedRequest(body: code, chunk: 184))])
        let proven = try #require(prover(captures: [carrier]).prove([sample(code)], given: window(code)).proven.first)
        #expect(proven.signature.id == window(code).id && proven.signature.context.buffers == [.httpRequestBody])
        #expect(proven.carriers.count == 1)
        let benign = try capture("benign.pcap", [(8080, HTTPText.chunkedRequest(body: code, chunk: 184))])
        let failed = prover(captures: [carrier], benign: [benign]).prove([sample(code)], given: window(code))
        #expect(!failed.proven.contains { $0.signature.id == window(code).id })
        #expect(failed.failed?.proof.check(.noBenignFlow)?.outcome == .failed)
    }

    @Test func `what Suricata said before is a part of the proof, and what it did not fire by fails`() throws {
        let code = instructions(400, seed: 4)
        var material = ProverMaterial(
            index: GoodwareIndex(of: [bytes(3000, seed: 99)]), captures: [try capture("log.pcap", [(80, code)])])
        #expect(SignatureProver(material).prove([sample(code)], given: window(code)).proven.first?.proof.check(.engineFires) == nil)
        material.isEngineAsked = true
        let prover = SignatureProver(material)
        let first = try #require(prover.prove([sample(code)], given: window(code)).proven.first)
        #expect(first.signature.id == window(code).id && first.proof.check(.engineFires)?.outcome == .notChecked)
        func answered(_ outcome: Proof.Check.Outcome) -> ProverResult {
            prover.prove(
                [sample(code)], given: window(code),
                answers: [EngineQuestion(first.signature): Proof.Check(.engineFires, outcome, "as it said")])
        }
        #expect(answered(.passed).proven.first?.proof.check(.engineFires)?.outcome == .passed)
        let other = try #require(answered(.failed).proven.first)
        #expect(other.signature.id != first.signature.id && other.proof.check(.engineFires)?.outcome == .notChecked)
    }

    @Test func `nothing is proven if benign traffic cannot be read`() {
        let code = instructions(200, seed: 4)
        let outcome = prover(benign: [folder.path + "/none"]).prove([sample(code)], given: window(code))
        #expect(outcome.proven.isEmpty)
        #expect(outcome.failed?.proof.check(.noBenignFlow)?.outcome == .failed)
    }

    /// Variants of one attack, with nothing in common but tokens shorter than the index's windows.
    private func variants(_ tokens: [[UInt8]], _ count: Int) -> [Sample] {
        (0..<count).map { index in
            let fill = instructions(600, seed: UInt64(100 + index))
            return sample(
                tokens.enumerated().reduce([]) { $0 + fill[($1.offset * 150)..<($1.offset * 150 + 90 + index)] + $1.element } + fill[450...]
            )
        }
    }

    @Test(arguments: [[12, 11, 13], [18]]) func `tokens that are too short for the index are searched for in the corpus`(lengths: [Int])
        throws
    {
        let corpus = folder.path + "/corpus"
        try FileManager.default.createDirectory(atPath: corpus, withIntermediateDirectories: false)
        try Data(bytes(5000, seed: 7)).write(to: URL(fileURLWithPath: corpus + "/first"))
        _ = try GoodwareBuilder.build(sources: [corpus], output: folder.path + "/index")
        let goodware = try GoodwareFile(path: folder.path + "/index")
        let tokens = lengths.enumerated().map { instructions($1, seed: UInt64(8 + $0)) }
        let samples = variants(tokens, 6)
        let prover = SignatureProver(ProverMaterial(goodware: goodware))
        let proven = try #require(prover.prove(samples, given: window(samples[0].code.bytes)).proven.first)
        #expect(samples.allSatisfy { proven.signature.matches($0.code.bytes) })
        #expect(proven.proof.check(.absentFromGoodware)?.detail.contains("a search of the corpus") == true)

        try Data(samples[0].code.bytes).write(to: URL(fileURLWithPath: corpus + "/second"))
        let outcome = prover.prove(samples, given: window(samples[0].code.bytes))
        #expect(!outcome.proven.contains { $0.signature.id == proven.signature.id })
        // What is long enough is decided by the index, which doesn't know the second file.
        for item in outcome.proven where item.signature.tokens.allSatisfy({ $0.bytes.count < GoodwareIndex.windowLength }) {
            #expect(!item.signature.matches(samples[0].code.bytes))
        }
    }

    /// An index of random bytes, and files that are not read beside it.
    private func goodware(unread: Int, of files: Int) throws -> GoodwareFile {
        let corpus = try folder.makeFolder("corpus-\(unread)")
        for number in 0..<files {
            let content = number < unread ? Array("hsqs".utf8) : bytes(500, seed: UInt64(1000 + number))
            try Data(content).write(to: URL(fileURLWithPath: "\(corpus)/\(100 + number)"))
        }
        _ = try GoodwareBuilder.build(sources: [corpus], output: folder.path + "/index")
        return try GoodwareFile(path: folder.path + "/index")
    }

    @Test func `a proof says what of the goodware was not read, and too much of it is none`() throws {
        let code = bytes(400, seed: 1)
        func check(unread: Int, isRequired: Bool = true) throws -> Proof.Check? {
            let material = ProverMaterial(goodware: try goodware(unread: unread, of: 40), isGoodwareRequired: isRequired)
            return SignatureProver(material).proof(of: window(code)).check(.absentFromGoodware)
        }
        #expect(try check(unread: 0)?.detail == "a window of 32 of its bytes is nowhere in 20000 bytes of goodware")
        let one = try #require(try check(unread: 2))
        #expect(one.outcome == .passed)
        #expect(one.detail.hasSuffix("which is not read: unpack it and add the folder"))
        #expect(one.detail.contains("; 2 of 40 files were not read, such as \(folder.path)/corpus-2/100: it is a SquashFS image"))
        #expect(try check(unread: 3)?.outcome == .failed)
        #expect(try check(unread: 3, isRequired: false)?.outcome == .notChecked)
    }

    @Test func `the search of the corpus for short tokens heeds what it could not read`() throws {
        let samples = variants([bytes(12, seed: 8), bytes(11, seed: 9), bytes(13, seed: 10)], 6)
        func proof(unread: Int) throws -> Proof? {
            let prover = SignatureProver(ProverMaterial(goodware: try goodware(unread: unread, of: 40)))
            let result = prover.prove(samples, given: window(samples[0].code.bytes))
            return (result.proven.first ?? result.failed)?.proof
        }
        #expect(try proof(unread: 1)?.check(.absentFromGoodware)?.detail.contains("; 1 of 40 files were not read") == true)
        #expect(try proof(unread: 9)?.passed == false)
    }

    @Test func `what a signature says of its own making opens no search of the corpus`() throws {
        let goodware = try goodware(unread: 0, of: 2)
        let prover = SignatureProver(ProverMaterial(goodware: goodware))
        let code = instructions(400, seed: 1)
        let tokens = [Signature.Token(bytes: Array(code[360..<376])), Signature.Token(bytes: Array(code[380..<392]), gap: 4...4)]
        let claimed = Signature(
            tokens: tokens, context: .any,
            provenance: Provenance(strategy: .tokenSequence, samples: 100, reasons: []))
        // One packet: reported as it is, it is not searched for.
        let alone = prover.prove([sample(code)], given: claimed)
        for item in alone.proven + [alone.failed].compactMap({ $0 }) where item.signature.id == claimed.id {
            #expect(item.proof.check(.absentFromGoodware)?.outcome == .failed)
        }
        #expect(!alone.proven.contains { $0.signature.id == claimed.id })
        // It came from a center, which may forward signatures alone.
        #expect(prover.proof(of: claimed).check(.absentFromGoodware)?.outcome == .passed)
        // Runs of three bytes are everywhere: they are not searched for, whoever asks.
        let short = Signature(tokens: (0..<6).map { .init(bytes: Array(code[$0 * 4..<$0 * 4 + 3])) }, context: .any)
        #expect(prover.proof(of: short).check(.absentFromGoodware)?.outcome == .failed)
    }

    @Test func `a cluster of two attacks gets a signature for each`() throws {
        let (one, other) = (instructions(300, seed: 20), instructions(300, seed: 21))
        let samples = [one, one, other, one, other, other].map(sample)
        let proven = prover().prove(samples, given: window(one)).proven
        #expect(proven.count == 2)
        for code in [one, other] { #expect(proven.contains { $0.signature.matches(code) }) }
        #expect(proven.allSatisfy { $0.proof.passed })
    }
}
