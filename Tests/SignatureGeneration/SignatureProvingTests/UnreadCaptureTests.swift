// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GoodwareIndex
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport
import Testing

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
