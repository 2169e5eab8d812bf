// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

/// `epitope goodware` as a person runs it.
@Suite struct GoodwareTests {
    private let folder: TemporaryFolder
    private var corpus: String { folder.path + "/corpus" }
    private var index: String { folder.path + "/goodware.index" }

    init() throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/corpus", withIntermediateDirectories: false)
    }

    private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes).write(to: URL(filePath: "\(corpus)/\(name)"))
    }

    @Test func `a goodware index is built extended and queried`() async throws {
        let (first, second) = (bytes(5000, seed: 1), bytes(5000, seed: 2))
        try write(first, "first")
        let built = try await epitope(["goodware", "build", corpus, "--output", index])
        #expect(built.status == 0 && built.output.contains("bytes per 32 distinct"), "\(built.output)")
        func absent(_ bytes: [UInt8]) async throws -> Int {
            let asked = try await epitope(["goodware", "query", index, Hex.encode(bytes)])
            #expect(asked.status == 0 && asked.output.contains("of 33 windows are proven absent"), "\(asked.output)\(asked.errors)")
            return try #require(asked.output.split(separator: " ").first.flatMap { Int($0) })
        }
        #expect(try await absent(Array(first[100..<164])) == 0)
        // One gram in 256 is found by chance, and stands for up to 17 windows.
        #expect(try await absent(Array(second[100..<164])) >= 16)
        try write(second, "second")
        #expect(try await epitope(["goodware", "update", index]).status == 0)
        #expect(try await absent(Array(second[100..<164])) == 0)
        let info = try await epitope(["goodware", "info", "--check", index])
        #expect(info.status == 0 && info.output.contains("source  \(corpus)"), "\(info.output)")
        #expect(info.output.contains("all checksums are right"))
    }

    @Test func `an index is replaced only when that is asked for and another file never`() async throws {
        try write(bytes(5000, seed: 1), "first")
        let build = ["goodware", "build", corpus, "--output", index]
        #expect(try await epitope(build).status == 0)
        let before = try Data(contentsOf: URL(filePath: index))
        try write(bytes(100, seed: 2), "first")
        let refused = try await epitope(build)
        expectFailure(refused, "goodware-exists")
        #expect(refused.errors.contains("--force") && refused.errors.contains("goodware update"))
        #expect(try Data(contentsOf: URL(filePath: index)) == before)
        #expect(try await epitope(build + ["--force"]).status == 0)
        #expect(try Data(contentsOf: URL(filePath: index)) != before)
        try write([1, 2, 3], "first")
        for path in ["\(corpus)/first", corpus] {
            expectFailure(try await epitope(["goodware", "build", corpus, "--output", path, "--force"]), "goodware-exists")
        }
        #expect(try Data(contentsOf: URL(filePath: "\(corpus)/first")) == Data([1, 2, 3]))
    }

    @Test func `a build that is stopped leaves nothing behind`() async throws {
        for number in 0..<64 { try write([UInt8](repeating: UInt8(number), count: 4 << 20), "file\(number)") }
        let build = try RunningProcess([Command.built("epitope"), "goodware", "build", corpus, "--output", index])
        try await eventually("the new index begun") {
            try FileManager.default.contentsOfDirectory(atPath: folder.path).contains { $0.hasSuffix(".new") }
        }
        #expect(try await build.end(SIGINT) == 1)
        #expect(build.errors.contains("[goodware-stopped]"), "\(build.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["corpus"])
    }

    @Test func `a sparse file is read where it has data`() async throws {
        let data = bytes(4096, seed: 5)
        try write(data, "lastlog")
        let file = try FileHandle(forWritingTo: URL(filePath: "\(corpus)/lastlog"))
        try file.truncate(atOffset: 4 << 40)
        try file.seek(toOffset: 2 << 40)
        try file.write(contentsOf: Data(data.reversed()))
        try file.close()
        #expect(try await epitope(["goodware", "build", corpus, "--output", index]).status == 0)
        // All that is in it is known, the windows at the borders of its holes too.
        let mirrored = Array(data.reversed())
        let windows = [Array(data[1000..<1032]), Array(mirrored[100..<132]), Array(data.suffix(20)) + [UInt8](repeating: 0, count: 12)]
        for window in windows {
            let asked = try await epitope(["goodware", "query", index, Hex.encode(window)])
            #expect(asked.output.hasPrefix("0 of 1 windows"), "\(asked.output)")
        }
    }

    @Test func `a query that can't be asked says why with its code`() async throws {
        try write(bytes(5000, seed: 1), "first")
        #expect(try await epitope(["goodware", "build", corpus, "--output", index]).status == 0)
        for words in [["zz"], ["0102"], []] {
            let refused = try await epitope(["goodware", "query", index] + words)
            expectFailure(refused, "query-malformed")
            #expect(!refused.errors.contains("USAGE"))
        }
        expectFailure(try await epitope(["goodware", "query", index, "--file", "\(corpus)/none"]), "file-unreadable")
    }

    @Test func `a file that cannot be read is named with its reason`() async throws {
        try write(bytes(100, seed: 1), "good")
        try write([0x1f, 0x8b, 8, 0] + bytes(100, seed: 3), "bad.gz")
        let built = try await epitope(["goodware", "build", corpus, "--output", index])
        #expect(built.status == 0)
        #expect((built.output + built.errors).contains("\(corpus)/bad.gz"), "\(built.output)\(built.errors)")
    }

    @Test func `an index with holes is told of wherever it is used`() async throws {
        for number in 0..<20 { try write(bytes(100, seed: UInt64(number)), "good-\(number)") }
        try write(Array("hsqs".utf8) + bytes(100, seed: 99), "image")
        #expect(try await epitope(["goodware", "build", corpus, "--output", index]).status == 0)
        let warning = "1 of 21 files of the goodware were not read, of these \"absent\" says nothing: see epitope goodware info \(index)"
        let queried = try await epitope(["goodware", "query", index, String(repeating: "00", count: 32)])
        #expect(queried.output.contains(warning), "\(queried.output)")
        let code = folder.path + "/code.bin"
        try Data(InertInstructions.bytes(98, seed: 1) + [0x0f, 0x05]).write(to: URL(filePath: code))
        let made = try await epitope(["extract", code, "--caller", "100", "--base", "0", "--goodware", index, "-o", "suricata"])
        #expect(made.status == 0 && made.errors.contains(warning), "\(made.errors)")
        let proof = try await epitope(["extract", code, "--caller", "100", "--base", "0", "--goodware", index])
        #expect(proof.output.contains("1 of 21 files were not read, such as \(corpus)/image: it is a SquashFS image"), "\(proof.output)")
    }

    @Test func `goodware refuses bad input with its code`() async throws {
        expectFailure(try await epitope(["goodware", "build", folder.path + "/none", "--output", index]), "goodware-missing")
        expectFailure(try await epitope(["goodware", "build", corpus, "--output", folder.path + "/none/index"]), "goodware-unwritable")
        expectFailure(try await epitope(["goodware", "info", index]), "goodware-missing")
        try Data("EPITGOOD, but no more".utf8).write(to: URL(filePath: index))
        expectFailure(try await epitope(["goodware", "query", index, String(repeating: "00", count: 32)]), "goodware-damaged")
        let short = try await epitope(["goodware", "query", index, "0011"])
        #expect(short.status != 0)
    }
}
