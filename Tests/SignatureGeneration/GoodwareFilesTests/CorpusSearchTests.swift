// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareReading
import Signatures
import TestSupport
import Testing

/// Signatures of tokens that are too short for the index, sought in the corpus itself.
@Suite("A search of the corpus") struct CorpusSearchTests {
    private let folder: TemporaryFolder
    private var corpus: String { folder.path + "/corpus" }
    private let near = Signature(tokens: [.init(bytes: [1, 2, 3]), .init(bytes: [4, 5, 6], gap: 0...8)], context: .any)
    private let far = Signature(tokens: [.init(bytes: [9, 8, 7, 6]), .init(bytes: [5, 4, 3, 2])], context: .any)

    init() throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/corpus", withIntermediateDirectories: false)
        try write([UInt8](repeating: 0, count: 5000), "fill")
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: corpus + "/" + name))
    }

    private func index(captures: [String] = []) throws -> GoodwareFile {
        _ = try GoodwareBuilder.build(sources: [corpus], captures: captures, output: folder.path + "/index")
        return try GoodwareFile(path: folder.path + "/index")
    }

    @Test func `a signature that no file contains is absent`() throws {
        try write([1, 2, 3] + [UInt8](repeating: 0, count: 9) + [4, 5, 6], "too-far-apart")
        let summary = try CorpusSearch.run([near, far], corpus: try index())
        #expect(summary.findings == [.absent, .absent])
        #expect(summary.bytes == 5015)
        #expect(summary.unread == .none)
    }

    @Test func `files that are newer than the index are searched`() throws {
        let index = try index()
        let fill = [UInt8](repeating: 0, count: 3000)
        try write(fill + [1, 2, 3, 0, 4, 5, 6], "new")
        try write([9, 8, 7, 6] + fill, "half")
        let findings = try CorpusSearch.run([far, near], corpus: index).findings
        #expect(findings == [.absent, .found(unit: corpus + "/new", offset: 3000)])
        try write([9, 8, 7, 6] + fill + [5, 4, 3, 2], "half")
        #expect(try CorpusSearch.run([far], corpus: index).findings == [.found(unit: corpus + "/half", offset: 0)])
    }

    @Test func `members of archives are searched`() async throws {
        try write([0] + [1, 2, 3, 0, 4, 5, 6], "member")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(corpus); tar czf packed.tar.gz member; rm member"])
        // The archive's own bytes, unpacked, hold the member's: behind a header of 512.
        let findings = try CorpusSearch.run([near], corpus: try index()).findings
        #expect(findings == [.found(unit: corpus + "/packed.tar.gz (unpacked)", offset: 513)])
    }

    @Test func `streams of captures are searched`() throws {
        let path = folder.path + "/a.pcap"
        let frames = [
            NetworkFrame.tcp(from: (1, 5000), to: (2, 80), sequence: 1, [0, 1, 2]),
            NetworkFrame.tcp(from: (1, 5000), to: (2, 80), sequence: 4, [3, 0, 4, 5, 6]),
        ]
        try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: path))
        let findings = try CorpusSearch.run([near], corpus: try index(captures: [path])).findings
        #expect(findings == [.found(unit: "\(path): stream 1", offset: 1)])
    }

    @Test func `a search without the sources fails`() throws {
        let index = try index()
        try FileManager.default.removeItem(atPath: corpus)
        let error = #expect(throws: EpitopeError.self) { try CorpusSearch.run([near], corpus: index) }
        #expect(error?.code == .goodwareMissing)
    }
}
