// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import Foundation
import GoodwareIndex
import SignatureMaking
import Signatures
import TestSupport
import Testing

@testable import SignatureProving

/// What could not be read counts against the proof that needed it, and is said; what holds nothing yet does not.
@Suite("Proofs and captures that are not read") struct UnreadCaptureTests {
    private let folder: TemporaryFolder
    private let code: [UInt8]

    init() throws {
        folder = try TemporaryFolder()
        var random = SeededGenerator(seed: 1)
        code = (0..<200).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private var window: Signature {
        Signature(tokens: [.init(bytes: Array(code[(code.count - 40)..<(code.count - 8)]))], context: .any)
    }

    private var sample: Sample {
        Sample(
            code: ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true), callersAddress: 0x1000 + UInt64(code.count - 8),
            architecture: .x86_64, context: SignatureContext(transport: .tcp, ports: [80], direction: .toService))
    }

    private func proof(captures: [String] = [], benign: [String] = [], _ change: (inout ProverMaterial) -> Void = { _ in }) -> Proof? {
        var material = ProverMaterial(index: GoodwareIndex(of: [[UInt8](0...255)]), captures: captures, benignCaptures: benign)
        change(&material)
        let outcome = SignatureProver(material).prove([sample], given: window)
        return outcome.proven.first?.proof ?? outcome.failed?.proof
    }

    private func flow(_ bytes: [UInt8], port: UInt16 = 80) -> [UInt8] {
        NetworkFrame.capture(NetworkFrame.connection(from: (1, 4000), to: (2, port), bytes, segment: 1400), link: 101)
    }

    /// - Parameter age: in seconds, of its last change.
    private func write(_ bytes: [UInt8], _ name: String, age: Double = 0) throws -> String {
        let path = "\(folder.path)/\(name)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1_700_000_000 - age)], ofItemAtPath: path)
        return path
    }

    @Test func `a benign capture that is damaged fails the proof with its frame and reason`() throws {
        var damaged = flow([UInt8](repeating: 0x61, count: 5000))
        damaged.replaceSubrange(24 + 8..<24 + 12, with: [0xff, 0xff, 0xff, 0x7f])
        let check = try #require(proof(benign: [try write(damaged, "damaged.pcap")])?.check(.noBenignFlow))
        #expect(check.outcome == .failed)
        #expect(check.detail.contains("damaged.pcap up to frame 0") && check.detail.contains("it is damaged"), "\(check.detail)")
    }

    @Test func `a benign capture that is being written is no traffic yet and said`() throws {
        _ = try write(flow(Array("GET / HTTP/1.1".utf8)), "ring-1.pcap", age: 60)
        let newest = try write([], "ring-2.pcap")
        let begun: [(String, [UInt8])] = [("empty", []), ("header", [0xd4, 0xc3]), ("cut", Array(flow([1, 2, 3]).dropLast(7)))]
        for (name, contents) in begun {
            _ = try write(contents, "ring-2.pcap")
            let check = try #require(proof(benign: [folder.path + "/ring-*"])?.check(.noBenignFlow))
            #expect(check.outcome == .passed && check.detail.contains("ring-2.pcap"), "\(name): \(check.detail)")
        }
        _ = try write([], "ring-2.pcap")
        let alone = try #require(proof(benign: [newest]))
        #expect(alone.passed && alone.check(.noBenignFlow)?.outcome == .notChecked, "\(alone)")
    }

    @Test func `what lies beside benign captures and is none is named, and fails no proof`() async throws {
        _ = try write(flow(Array("GET / HTTP/1.1".utf8)), "ring-1.pcap")
        let log = try write(Array("what the recorder did".utf8), "ring.log")
        for captureSet in [folder.path, folder.path + "/ring*"] {
            let check = try #require(proof(benign: [captureSet])?.check(.noBenignFlow))
            #expect(check.outcome == .passed && check.detail.contains("not looked at, for they are no captures: \(log)"), "\(check.detail)")
        }
        #expect(proof(benign: [log])?.check(.noBenignFlow)?.outcome == .failed, "who names a file means a capture")
        // A compressed capture is one.
        _ = try write(try await HTTPText.gzip(flow(code)), "ring-2.pcap.gz")
        let check = try #require(proof(benign: [folder.path])?.check(.noBenignFlow))
        #expect(check.outcome == .failed && check.detail.contains("a benign flow to port 80 in \(folder.path)/ring-2.pcap.gz"))
    }

    @Test func `what could not be looked at is told from what was found, and from what there was no time for`() throws {
        func unlooked(_ benign: [String], _ change: (inout ProverMaterial) -> Void = { _ in }) -> [String] {
            var material = ProverMaterial(index: GoodwareIndex(of: [[UInt8](0...255)]), benignCaptures: benign)
            change(&material)
            return SignatureProver(material).prove([sample], given: window).unlookedCaptures
        }
        let good = try write(flow(Array("GET / HTTP/1.1".utf8)), "good.pcap")
        var bytes = flow([UInt8](repeating: 0x61, count: 5000))
        bytes.replaceSubrange(24 + 8..<24 + 12, with: [0xff, 0xff, 0xff, 0x7f])
        let damaged = try write(bytes, "damaged.pcap")
        #expect(unlooked([good]) == [])
        #expect(unlooked([good, damaged]) == [damaged])
        #expect(unlooked([good, folder.path + "/none"]) == [folder.path + "/none"])
        #expect(unlooked([try write(flow(code), "hit.pcap"), damaged]) == [])
        #expect(unlooked([good]) { $0.proofTime = .zero } == [])
        #expect(unlooked([good]) { $0.captureTime = .zero } == [])
    }

    @Test func `traffic may lie in what is not read beside captures, which refutes nothing`() throws {
        _ = try write(flow(Array("GET / HTTP/1.1".utf8)), "ring-1.pcap")
        _ = try write([0x04, 0x22, 0x4d, 0x18, 0x64], "ring-0.pcap.lz4")
        let check = try #require(proof(captures: [folder.path])?.check(.onTheWire))
        #expect(check.outcome == .notChecked && check.detail.contains("ring-0.pcap.lz4"), "\(check.detail)")
    }

    @Test func `a benign capture of which no frame could be read fails the proof`() throws {
        let encrypted = NetworkFrame.capture([NetworkFrame.ipv4(1, 2, inside: 50, [1, 2, 3])], link: 101)
        let check = try #require(proof(benign: [try write(encrypted, "esp.pcap")])?.check(.noBenignFlow))
        #expect(check.outcome == .failed && check.detail.contains("IP protocol 50 1"), "\(check.detail)")
    }

    @Test func `a benign flow is read beyond its first mebibyte`() throws {
        let long = [UInt8](repeating: 0x61, count: (3 << 20) + 77) + code
        let check = try #require(proof(benign: [try write(flow(long), "long.pcap")])?.check(.noBenignFlow))
        #expect(check.outcome == .failed && check.detail.contains("a benign flow to port 80"), "\(check.detail)")
    }

    @Test(.enabled(if: SilentFileSystem.canBeMade, "needs root and /dev/fuse"))
    func `captures whose file system never answers hold up no proof, and are said`() throws {
        let place = folder.path + "/hung"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        let silent = try #require(SilentFileSystem(place))
        let carrier = try write(flow(code), "carrier.pcap")
        let reads = BoundedReads(seconds: 0.2)
        let streams = CaptureStreams(reads: reads)
        for hangs in [2, 2] {
            let proof = try #require(
                proof(captures: ["\(place)/*.pcap", carrier], benign: ["\(place)/benign.pcap"]) { $0.streams = streams })
            #expect(proof.check(.onTheWire)?.outcome == .passed, "the others are read")
            let benign = try #require(proof.check(.noBenignFlow))
            #expect(benign.outcome == .failed && benign.detail.contains("does not answer"), "\(benign.detail)")
            #expect(reads.hangs == hangs, "each is waited for once a minute")
        }
        _ = silent
    }

    @Test func `captures that there was no time for fail the proof that needed them`() throws {
        let benign = try write(flow(Array("GET / HTTP/1.1".utf8)), "benign.pcap")
        #expect(proof(benign: [benign])?.check(.noBenignFlow)?.outcome == .passed)
        let late = try #require(proof(benign: [benign]) { $0.proofTime = .zero }?.check(.noBenignFlow))
        #expect(late.outcome == .failed && late.detail.contains("no time"), "\(late.detail)")
        let slow = try #require(proof(benign: [benign]) { $0.captureTime = .zero }?.check(.noBenignFlow))
        #expect(slow.outcome == .failed && slow.detail.contains("no time"), "\(slow.detail)")
    }

    @Test func `the check on the wire says which captures were not read`() throws {
        let carried = try write(flow(code), "carried.pcap")
        let bad = try write(Array("no capture at all, just text".utf8), "bad.pcap")
        let check = try #require(proof(captures: [bad, carried])?.check(.onTheWire))
        #expect(check.outcome == .passed && check.detail.contains("bad.pcap"), "\(check.detail)")
        let none = try #require(proof(captures: [bad])?.check(.onTheWire))
        #expect(none.outcome == .notChecked && none.detail.contains("bad.pcap"), "\(none.detail)")
    }

    @Test func `a segment that no receiver takes hides no carrier`() throws {
        // Other bytes at the same place, before and after the ones that the server acknowledges.
        let (client, server) = ((host: UInt8(1), port: UInt16(4000)), (host: UInt8(2), port: UInt16(80)))
        let other = [UInt8](repeating: 0x41, count: code.count)
        var frames = NetworkFrame.connection(from: client, to: server, code, segment: 1400)
        frames.insert(NetworkFrame.tcp(from: client, to: server, sequence: 1, acknowledged: 1, other), at: 3)
        frames.insert(NetworkFrame.tcp(from: client, to: server, sequence: 0x4000_0000, flags: .rst), at: 4)
        let capture = try write(NetworkFrame.capture(frames, link: 101), "hidden.pcap")
        #expect(proof(captures: [capture])?.check(.onTheWire)?.outcome == .passed)
    }
}
