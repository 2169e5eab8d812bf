// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Rendering
import Signatures
import TestSupport
import Testing

/// `epitope verify` as a person runs it.
@Suite struct VerifyTests {
    private struct Report: Decodable {
        struct Hit: Decodable {
            var signature: String
            var source: String
            var offset: Int
        }

        var files: Int
        var streams: Int
        var hitCount: Int
        var hits: [Hit]
        var skippedCount: Int
    }

    private let folder: TemporaryFolder
    private let bytes = (0..<32).map { UInt8($0 * 7 + 1) }
    private var rules: String { folder.path + "/rules.json" }
    private var tree: String { folder.path + "/tree" }

    init() throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/tree/deeper", withIntermediateDirectories: true)
        let signature = Signature(
            tokens: [.init(bytes: bytes)], context: SignatureContext(transport: .tcp, ports: [80], direction: .toService))
        try JSONEncoder().encode([signature]).write(to: URL(filePath: folder.path + "/rules.json"))
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes).write(to: URL(filePath: "\(folder.path)/\(name)"))
    }

    private func report(_ arguments: String...) async throws -> (status: Int32, report: Report) {
        let ran = try await epitope(["verify"] + arguments + ["-o", "json"])
        return (ran.status, try JSONDecoder().decode(Report.self, from: Data(ran.output.utf8)))
    }

    @Test func `verify ends with status zero when it finds nothing`() async throws {
        try write(Array(bytes.dropLast()), "tree/almost")
        let (status, report) = try await report(rules, "--in", tree)
        #expect(status == 0)
        #expect(report.files == 1 && report.hitCount == 0)
    }

    @Test func `verify lists hits with their places`() async throws {
        try write([9, 9, 9] + bytes, "tree/deeper/file")
        try write(Array(bytes.reversed()), "tree/other")
        let (status, report) = try await report(rules, "--in", tree)
        #expect(status == 1)
        #expect(report.files == 2)
        #expect(report.hits.map(\.source) == ["\(tree)/deeper/file"])
        #expect(report.hits.map(\.offset) == [3])
        let table = try await epitope(["verify", rules, "--in", tree])
        #expect(table.status == 1)
        #expect(table.output.contains("\(tree)/deeper/file") && table.output.contains("1 signatures in 2 files"), "\(table.output)")
    }

    @Test func `verify searches captures where the rule looks`() async throws {
        let frames = [80, 8080].flatMap { port in
            [
                NetworkFrame.tcp(from: (1, 40000), to: (2, UInt16(port)), sequence: 0, flags: .syn),
                // The signature lies across two segments.
                NetworkFrame.tcp(from: (1, 40000), to: (2, UInt16(port)), sequence: 1, Array(bytes[..<20])),
                NetworkFrame.tcp(from: (1, 40000), to: (2, UInt16(port)), sequence: 21, Array(bytes[20...])),
            ]
        }
        try write(NetworkFrame.capture(frames, link: 101), "a.pcap")
        let (status, report) = try await report(rules, "--capture", folder.path + "/a.pcap")
        #expect(status == 1)
        #expect(report.streams == 2)
        #expect(report.hits.count == 1 && report.hits.first?.source.contains("10.0.0.2:80") == true)
    }

    @Test func `verify reads rules back as the signatures they were written from`() async throws {
        let signature = Signature(
            tokens: [.init(bytes: bytes)], context: SignatureContext(transport: .tcp, ports: [80], direction: .toService))
        let rule = try SuricataRendering.render(
            RuleInput(signature: signature, sid: 3_900_000, createdMilliseconds: 1_790_000_000_000))
        try write(Array(rule.utf8), "epitope.rules")
        try write(bytes, "tree/file")
        let ran = try await epitope(["verify", folder.path + "/epitope.rules", "--in", tree])
        #expect(ran.status == 1, "\(ran.output)\(ran.errors)")
    }

    @Test func `verify refuses bad input with its code`() async throws {
        func expectCode(_ code: String, _ arguments: String...) async throws {
            let ran = try await epitope(["verify"] + arguments)
            #expect(ran.status == 2 && ran.errors.contains("[\(code)]"), "\(ran.status) \(ran.errors)")
        }
        try await expectCode("rules-unreadable", folder.path + "/none", "--in", tree)
        try write(Array("{\"a\": 1}".utf8), "bad.json")
        try await expectCode("rules-malformed", folder.path + "/bad.json", "--in", tree)
        try write(Array("alert nonsense\n".utf8), "bad.rules")
        try await expectCode("rule-malformed", folder.path + "/bad.rules", "--in", tree)
        try await expectCode("search-path-missing", rules, "--in", folder.path + "/none")
        try write([1, 2, 3], "bad.pcap")
        let (status, report) = try await report(rules, "--capture", folder.path + "/bad.pcap")
        #expect(status == 0 && report.skippedCount == 1)
    }
}
