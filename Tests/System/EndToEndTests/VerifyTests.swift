// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PacketCoding
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
        var skipped: [Skipped]
        var refusedRuleCount: Int
        var captureFiles: Int
        var skippedFrames: Int
        var skippedKinds: [String: Int]
        var gaps: Int
        var holeBytes: Int

        struct Skipped: Decodable {
            var path: String
            var reason: String
        }
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
        #expect(table.output.contains("\(tree)/deeper/file") && table.output.contains("1 signature in 2 files"), "\(table.output)")
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
        try await expectCode("rules-malformed", folder.path + "/bad.rules", "--in", tree)
        try write(NetworkFrame.capture([], link: 101), "site.pcap")
        try await expectCode("rules-malformed", folder.path + "/site.pcap", "--in", tree)
        try await expectCode("search-path-missing", rules, "--in", folder.path + "/none")
        try write([1, 2, 3], "bad.pcap")
        let (status, report) = try await report(rules, "--capture", folder.path + "/bad.pcap")
        #expect(status == 2 && report.skippedCount == 1)
    }

    @Test(arguments: ["suricata", "snort2", "snort3", "yara", "clamav", "stix", "json"])
    func `verify reads what extract writes`(_ language: String) async throws {
        let packet = folder.path + "/packet"
        try Data(Samples.packet().encoded()).write(to: URL(filePath: packet))
        let made = try await epitope(["extract", packet, "-o", language])
        #expect(made.status == 0, "\(made.errors)")
        try write(Array(made.output.utf8), "made")
        try write([1, 2] + Samples.code.bytes, "tree/file")
        let (status, report) = try await report(folder.path + "/made", "--in", tree)
        #expect(status == 1 && report.hitCount == 1 && report.refusedRuleCount == 0)
        let id = try #require(report.hits.first?.signature)
        #expect(made.output.contains(id))
    }

    @Test func `a rule of another hand is named counted and in the exit status`() async throws {
        let signature = Signature(tokens: [.init(bytes: bytes)], context: .any)
        let rule = try SuricataRendering.render(RuleInput(signature: signature, sid: 3_900_000, createdMilliseconds: 0))
        try write(Array("\(rule)\nalert tcp any any -> any any (msg:\"theirs\"; sid:1;)\n".utf8), "mixed.rules")
        let mixed = folder.path + "/mixed.rules"
        let (status, report) = try await report(mixed, "--in", tree)
        #expect(status == 2 && report.refusedRuleCount == 1)
        let table = try await epitope(["verify", mixed, "--in", tree])
        #expect(table.output.contains("\(mixed), line 2"), "\(table.output)")
        // So is a whole file of them, beside one that can be searched for.
        try write(Array("alert tcp any any -> any any (msg:\"theirs\"; sid:1;)\n".utf8), "theirs.rules")
        let theirs = folder.path + "/theirs.rules"
        let (beside, besideReport) = try await self.report(theirs, mixed, "--in", tree)
        #expect(beside == 2 && besideReport.refusedRuleCount == 2)
        let alone = try await epitope(["verify", theirs, "--in", tree])
        #expect(alone.status == 2 && alone.errors.contains("nothing to search for") && alone.errors.contains("[rules-malformed]"))
        // What is found counts more.
        try write(bytes, "tree/file")
        #expect(try await self.report(mixed, "--in", tree).status == 1)
    }

    @Test func `a capture that can't be read to its end is named with its frame and reason`() async throws {
        let frames = (0..<4).map { NetworkFrame.ipv4(1, 2, inside: 17, NetworkFrame.udpDatagram(from: 9, to: UInt16($0), [1, 2, 3])) }
        try write(Array(NetworkFrame.capture(frames, link: 101).dropLast(5)), "cut.pcap")
        let (status, report) = try await report(rules, "--capture", folder.path + "/cut.pcap")
        #expect(status == 2 && report.streams == 3 && report.skippedCount == 1)
        #expect(report.skipped.first?.reason.contains("up to frame 3") == true, "\(report.skipped)")
        try write([], "empty.pcap")
        #expect(try await self.report(rules, "--capture", folder.path + "/empty.pcap").status == 2)
        try write(NetworkFrame.capture(frames, link: 77), "link.pcap")
        #expect(try await self.report(rules, "--capture", folder.path + "/link.pcap").status == 2)
    }

    @Test func `a stream of several mebibytes is searched to its end and a hit at a border of its parts counts once`() async throws {
        for length in [1 << 20, (1 << 20) - 16, (5 << 20) + 5000] {
            let long = [UInt8](repeating: 0x61, count: length) + bytes + [UInt8](repeating: 0x62, count: 3000)
            let frames = NetworkFrame.connection(from: (1, 4000), to: (2, 80), long, segment: 1400)
            try write(NetworkFrame.capture(frames, link: 101), "long.pcap")
            let (status, report) = try await report(rules, "--capture", folder.path + "/long.pcap")
            #expect(status == 1 && report.hits.map(\.offset) == [length] && report.streams == 1 && report.gaps == 0, "\(report)")
        }
    }

    @Test func `frames without a stream are counted and captures among files are told of`() async throws {
        try write(NetworkFrame.capture([NetworkFrame.ipv4(1, 2, inside: 50, [0, 0, 8, 0])], link: 101), "tree/esp.pcap")
        let (status, captured) = try await report(rules, "--capture", tree + "/esp.pcap")
        // All of it is encrypted: nothing was searched.
        #expect(status == 2 && captured.skippedKinds == ["IP protocol 50": 1] && captured.skippedCount == 1)
        let both = [
            NetworkFrame.ipv4(1, 2, inside: 1, [8, 0]), NetworkFrame.ipv4(1, 2, inside: 17, NetworkFrame.udpDatagram(from: 9, to: 80, [1])),
        ]
        try write(NetworkFrame.capture(both, link: 101), "both.pcap")
        let (bothStatus, bothReport) = try await report(rules, "--capture", folder.path + "/both.pcap")
        #expect(bothStatus == 0 && bothReport.skippedFrames == 1 && bothReport.streams == 1)
        let (_, searched) = try await report(rules, "--in", tree)
        #expect(searched.captureFiles == 1)
    }

    @Test func `a sparse file of terabytes is searched where it has data`() async throws {
        let path = tree + "/lastlog"
        try write([1], "tree/lastlog")
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.truncate(atOffset: 4 << 40)
        try file.seek(toOffset: 3 << 40)
        try file.write(contentsOf: Data(bytes))
        try file.close()
        let (status, report) = try await report(rules, "--in", tree)
        #expect(status == 1 && report.hits.map(\.offset) == [3 << 40])
        #expect(report.holeBytes > 3 << 40)
    }

    @Test func `the kernel's file systems are passed over and told of where they were named`() async throws {
        let (status, report) = try await report(rules, "--in", "/proc/self")
        #expect(status == 2 && report.files == 0 && report.skippedCount == 1)
    }

    @Test func `files are searched whatever bytes their names have`() async throws {
        try write(bytes, "tree/plain")
        let shell = try await Command.run("/bin/sh", ["-ec", "cd '\(tree)'; mv plain \"$(printf 'caf\\351')\""])
        #expect(shell.status == 0, "\(shell.errors)")
        let (status, report) = try await report(rules, "--in", tree)
        #expect(status == 1 && report.files == 1 && report.skippedCount == 0)
        #expect(report.hits.map(\.source) == ["\(tree)/caf\\xE9"])
    }

    @Test func `a file that is cut short while it is searched does not end the search`() async throws {
        try write([], "tree/app.log")
        let path = tree + "/app.log"
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        // So much data that its search takes a while; the short holes are none.
        for block in stride(from: 0, to: 1 << 30, by: 64 << 10) {
            try file.seek(toOffset: UInt64(block))
            try file.write(contentsOf: Data([7]))
        }
        try write(bytes, "tree/zz-behind")
        let search = try await stopped(searching: path)
        try file.truncate(atOffset: 4096)
        kill(search.identifier, SIGCONT)
        try await eventually("the end of the search", seconds: 60) { search.hasEnded }
        #expect(search.status == 1, "\(search.errors)")
        let report = try JSONDecoder().decode(Report.self, from: Data(search.output.utf8))
        #expect(report.hits.map(\.source) == ["\(tree)/zz-behind"])
        #expect(report.skipped.map(\.path) == [path] && report.skipped.first?.reason.contains("cut short") == true, "\(report.skipped)")
    }

    /// A search that is stopped while it has a file mapped.
    private func stopped(searching path: String) async throws -> RunningProcess {
        for _ in 0..<20 {
            let search = try RunningProcess([Command.built("epitope"), "verify", rules, "--in", tree, "-o", "json"])
            while !search.hasEnded {
                guard (try? KernelFile.text("/proc/\(search.identifier)/maps"))?.contains(path) == true else {
                    continue
                }
                kill(search.identifier, SIGSTOP)
                let maps = try KernelFile.text("/proc/\(search.identifier)/maps")
                if maps.contains(path) { return search }
                kill(search.identifier, SIGCONT)
            }
        }
        throw NeverCame(what: "a search with \(path) mapped", fileID: #fileID, line: #line)
    }
}
