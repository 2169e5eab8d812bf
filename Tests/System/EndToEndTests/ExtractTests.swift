// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PacketCoding
import TestSupport
import Testing

/// `epitope extract` without any center.
@Suite struct ExtractTests {
    @Test func `extract gives the published window of the published code`() async throws {
        let folder = try TemporaryFolder()
        let region = "\(folder.path)/region.bin"
        try Data(Samples.code.bytes).write(to: URL(filePath: region))
        let place = ["extract", "--base", "0x142", "--caller", "0x176", "--architecture", "x86-32", region]
        let text = try await epitope(place)
        #expect(text.status == 0 && text.output.contains(Hex.encode(Samples.callerWindow)))
        let json = try await epitope(place + ["-o", "json"])
        #expect(json.status == 0 && json.output.contains("\"pattern\" : \"\(Hex.encode(Samples.callerWindow))\""))
    }

    private func write(_ bytes: [UInt8], _ path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

    /// mov eax, 42; syscall; a return; and calls before that end nothing.
    private static let shellCode: [UInt8] =
        [0x48, 0x31, 0xc9, 0x48, 0x81, 0xe9, 0xf6, 0xff, 0xff, 0xff, 0x48, 0x8d, 0x05, 0xef, 0x13, 0x27, 0x45, 0x48, 0xbb, 0x5a]
        + [0x9e, 0x71, 0x3c, 0xd8, 0x64, 0x12, 0xa7, 0x48, 0x31, 0x58, 0x27, 0xb8, 0x2a, 0, 0, 0, 0x0f, 0x05, 0xc3]

    @Test func `a region of which nobody knows the caller is trimmed and its only system call taken`() async throws {
        let folder = try TemporaryFolder()
        let region = "\(folder.path)/region.bin"
        try write(Self.shellCode + [UInt8](repeating: 0, count: 4096 - Self.shellCode.count), region)
        let made = try await epitope(["extract", region, "--base", "0x7f0000000000", "-o", "json"])
        #expect(made.status == 0, "\(made.errors)")
        #expect(
            made.errors.contains("0x7f0000000026 is taken as the caller's address") && made.errors.contains("(connect)"), "\(made.errors)")
        #expect(made.errors.contains("zero bytes of padding are left out"))
        #expect(made.output.contains("\(Hex.encode(Self.shellCode[17..<38]))\""), "\(made.output)")
        // Neither candidates that failed, nor the padding's instructions.
        #expect(made.output.components(separatedBy: "\"matchedSamples\"").count == 2)
        #expect(made.output.utf8.count < 20_000)
        let all = try await epitope(["extract", region, "--caller", "38", "-o", "json", "--all"])
        #expect(all.output.utf8.count > made.output.utf8.count)
    }

    @Test func `a region with several calls is not guessed at`() async throws {
        let folder = try TemporaryFolder()
        let region = "\(folder.path)/my region.bin"
        try write([0x6a, 0x29, 0x58, 0x0f, 0x05] + Self.shellCode + [UInt8](repeating: 0, count: 100), region)
        let listed = try await epitope(["extract", region])
        #expect(listed.status == 2)
        for text in ["0x5 ", "0x2b ", "number 41", "connect", "after the call into the library", "'\(region)' --caller 0x2b"] {
            #expect(listed.output.contains(text), "\(text): \(listed.output)")
        }
        // A script's rules file stays empty.
        let rules = try await epitope(["extract", region, "-o", "suricata"])
        #expect(rules.status == 2 && rules.output.isEmpty && rules.errors.contains("--caller 0x2b"))
        let document = try await epitope(["extract", region, "-o", "json"])
        #expect(document.status == 2 && document.output.contains("\"address\" : \"0x2b\""), "\(document.output)")
        #expect(try await epitope(["extract", region, "--caller", "0x2b"]).status == 0)
    }

    @Test func `a core dump gives its code its architecture and the call that a thread waited in`() async throws {
        let folder = try TemporaryFolder()
        var core = CoreFile.sample(.x86_64)
        core.regions[1].bytes.replaceSubrange(0..<Self.shellCode.count, with: Self.shellCode)
        core.threads[0].instruction = 0x7000_0026
        let path = "\(folder.path)/core.4711"
        try write(core.bytes, path)
        let made = try await epitope(["extract", path, "-o", "json"])
        #expect(made.status == 0, "\(made.errors)\(made.output)")
        #expect(made.errors.contains("0x70000026") && made.errors.contains("where thread 4711 was"), "\(made.errors)")
        #expect(made.output.contains("\(Hex.encode(Self.shellCode[17..<38]))\"") && made.output.contains("0x70000026"))
        // A thread that is elsewhere leaves the choice.
        core.threads[0].instruction = 0x40_0000
        try write(core.bytes, path)
        let listed = try await epitope(["extract", path])
        #expect(listed.status == 2 && listed.output.contains("0x70000000") && listed.output.contains("anonymous"), "\(listed.output)")
        #expect(listed.output.contains("--caller 0x70000026") && !listed.output.contains("/usr/bin/sample"))
        let chosen = try await epitope(["extract", path, "--caller", "0x70000026"])
        #expect(chosen.status == 0 && chosen.output.contains("x86-64"), "\(chosen.errors)")
        expectFailure(try await epitope(["extract", path, "--caller", "0x400010"]), "memory-missing")
        expectFailure(try await epitope(["extract", path, "--caller", "0x10"]), "caller-outside-code")
        try write(Array(core.bytes.prefix(300)), path)
        let cut = try await epitope(["extract", path, "--caller", "0x70000026"])
        expectFailure(cut, "memory-missing")
    }

    @Test func `what is no sample is told by its kind and named`() async throws {
        let folder = try TemporaryFolder()
        func path(_ name: String) -> String { "\(folder.path)/\(name)" }
        try write(NetworkFrame.capture([], link: 101), path("site.dat"))
        try write(Array("Read me.\n".utf8), path("README.txt"))
        try write([0x1f, 0x8b, 8, 0], path("a.gz"))
        try write(Array("{\"name\": 1}".utf8), path("other.json"))
        for (name, words) in [
            ("site.dat", ["a capture (pcap)", "--capture"]), ("README.txt", ["text, not a sample"]), ("a.gz", ["unpack it"]),
            ("other.json", ["JSON, not a sample"]),
        ] {
            let refused = try await epitope(["extract", path(name)])
            expectFailure(refused, "input-unusable")
            for word in [path(name)] + words { #expect(refused.errors.contains(word), "\(word): \(refused.errors)") }
        }
        let program = try await epitope(["extract", "/bin/true"])
        expectFailure(program, "input-unusable")
        #expect(program.errors.contains("/bin/true is an ELF program or library"))
        // A region of memory may begin like anything, if the user says that it is code.
        try write(Array("MZ".utf8) + Self.shellCode, path("reflective.bin"))
        let code = try await epitope(["extract", path("reflective.bin")])
        #expect(code.status == 0 && code.errors.contains("begins like a program of another system"), "\(code.errors)")
    }

    @Test func `a packet is told from code whatever its name and the options say`() async throws {
        let folder = try TemporaryFolder()
        let samples = try folder.makeFolder("samples")
        let packet = Samples.packet()
        let forms = [
            ("wire.bin", packet.encoded()), ("text.bin", Array(packet.json(pretty: false).utf8)),
            ("pretty.bin", Array(packet.json(pretty: true).utf8)),
        ]
        for (name, bytes) in forms {
            let path = "\(samples)/\(name)"
            try write(bytes, path)
            for options in [[], ["--caller", "0x20"], ["--base", "0x1000"]] {
                let made = try await epitope(["extract", path, "-o", "json"] + options)
                #expect(made.status == 0, "\(name) \(options): \(made.errors)")
                #expect(made.output.contains(Hex.encode(Samples.callerWindow)), "\(name) \(options): \(made.output)")
                let isSaid = made.errors.contains("\(path) is a packet as JSON; it is taken as that, not as code")
                #expect(isSaid == (name != "wire.bin"), "\(made.errors)")
            }
        }
        // One packet in three files is one sample.
        let all = try await epitope(["extract", samples])
        #expect(all.status == 0 && all.errors.contains("it is the same packet as"), "\(all.errors)")
        // What else JSON holds is no code either; and code that begins like it is.
        let path = "\(folder.path)/other.bin"
        for text in [#"{"tokens": []}"#, #"{"some": "text that is long enough to be taken for something"}"#, #"[{"signature": 1}]"#] {
            try write(Array(text.utf8), path)
            expectFailure(try await epitope(["extract", path]), "input-unusable")
        }
        var damaged = packet.json()
        damaged.replace("\"version\"", with: "\"versoin\"")
        try write(Array(damaged.utf8), path)
        expectFailure(try await epitope(["extract", path]), "packet-malformed")
        try write(Array("{\"".utf8) + Self.shellCode, path)
        let code = try await epitope(["extract", path])
        #expect(code.status == 0 && !code.errors.contains("is a packet"), "\(code.errors)")
    }

    @Test func `a capture that is not read is named and in the exit status`() async throws {
        let folder = try TemporaryFolder()
        let region = "\(folder.path)/region.bin"
        try write([UInt8](repeating: 0, count: 64) + Self.shellCode, region)
        try write(Array("no capture\n".utf8), "\(folder.path)/junk.pcap")
        let made = try await epitope(["extract", region, "--capture", "\(folder.path)/junk.pcap", "-o", "suricata"])
        #expect(made.status == 2 && made.output.hasPrefix("alert "), "\(made.errors)")
        #expect(made.errors.contains("not searched: ") && made.errors.contains("junk.pcap"), "\(made.errors)")
        for option in ["--capture", "--benign"] {
            let missing = try await epitope(["extract", region, option, "\(folder.path)/none.pcap"])
            #expect(missing.status == 1 && missing.errors.contains("[capture-unreadable]"), "\(missing.errors)")
        }
        // Padding before the code is one line of the listing.
        let text = try await epitope(["extract", region])
        #expect(text.output.contains("bytes of zeros") && !text.output.contains("add byte ptr [rax], al"), "\(text.output)")
    }

    @Test func `a folder's other files are skipped named and counted`() async throws {
        let folder = try TemporaryFolder()
        let samples = try folder.makeFolder("samples")
        try write(Samples.packet().encoded(), "\(samples)/one")
        try write(Array(Samples.packet(id: "10112233445566778899aabbccddeeff").json().utf8), "\(samples)/two.txt")
        try write(Array("Read me.\n".utf8), "\(samples)/README.md")
        try write([0xff, 0xfe], "\(samples)/thumbs.db")
        try write(Array("{\"name\": 1}".utf8), "\(samples)/package.json")
        let made = try await epitope(["extract", samples, "-o", "json"])
        #expect(made.status == 0, "\(made.errors)")
        for name in ["README.md", "thumbs.db", "package.json"] {
            #expect(made.errors.contains("skipped \(samples)/\(name): it "), "\(made.errors)")
        }
        #expect(made.output.contains("\"samples\" : 2"), "\(made.output)")
        // The same packet in another form is no second sample.
        try write(Array(Samples.packet().json().utf8), "\(samples)/one.json")
        let twice = try await epitope(["extract", samples, "-o", "json"])
        #expect(twice.output.contains("\"samples\" : 2"), "\(twice.output)")
        #expect(twice.status == 0 && twice.errors.contains("one.json: it is the same packet as \(samples)/one"), "\(twice.errors)")
        // A packet that is damaged is a sample that was not read.
        try write(Array(Samples.packet().encoded().dropLast(40)), "\(samples)/damaged")
        let partly = try await epitope(["extract", samples, "-o", "suricata"])
        #expect(partly.status == 2 && partly.output.hasPrefix("alert "), "\(partly.errors)")
        #expect(partly.errors.contains("\(samples)/damaged: "))
    }

    @Test func `rules have numbers of their own and a center's are told of`() async throws {
        let folder = try TemporaryFolder()
        let packet = "\(folder.path)/packet"
        try write(Samples.packet().encoded(), packet)
        func sid(_ arguments: String...) async throws -> (sid: UInt32, errors: String) {
            let made = try await epitope(["extract", packet, "-o", "suricata"] + arguments)
            #expect(made.status == 0, "\(made.errors)")
            let number = try #require(made.output.firstMatch(of: /sid:(\d+);/)?.1)
            return (try #require(UInt32(number)), made.errors)
        }
        let own = try await sid()
        #expect((1_500_000...1_999_999).contains(own.sid))
        #expect(try await sid().sid == own.sid)
        #expect(try await sid("--sid", "1000007").sid == 1_000_007)
        #expect(try await sid("--sid", "3900000").errors.contains("a center"))
        #expect(try await epitope(["extract", packet, "-o", "yara", "--sid", "5"]).status != 0)
        #expect(try await epitope(["extract", packet, "-o", "suricata", "--sid", "0"]).status != 0)
    }

    @Test func `the same samples give the same rules, as old as the newest sample`() async throws {
        let folder = try TemporaryFolder()
        var packet = Samples.packet()
        packet.parameters.timeMilliseconds = 1_780_000_000_123
        try write(packet.encoded(), "\(folder.path)/packet")
        for language in ["stix", "suricata", "yara"] {
            let made = try await epitope(["extract", "\(folder.path)/packet", "-o", language])
            #expect(made.status == 0, "\(made.errors)")
            // At another time of the file, and of the clock.
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)], ofItemAtPath: "\(folder.path)/packet")
            #expect(try await epitope(["extract", "\(folder.path)/packet", "-o", language]).output == made.output)
            #expect(made.output.contains("2026-05-28") || made.output.contains("2026_05_28"), "\(made.output)")
        }
        let bundle = try await epitope(["extract", "\(folder.path)/packet", "-o", "stix"]).output
        #expect(bundle.contains("\"created\":\"2026-05-28T20:26:40.123Z\""), "\(bundle)")
        #expect(bundle.contains("\"valid_from\":\"2026-05-28T20:26:40.123Z\""), "\(bundle)")

        // Of code alone, its file's time counts.
        let region = "\(folder.path)/region.bin"
        try write(Samples.code.bytes, region)
        let caller = String(Samples.callersAddress - Samples.code.base)
        for _ in 0..<2 {
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)], ofItemAtPath: region)
            let made = try await epitope(["extract", region, "--caller", caller, "-o", "stix"])
            #expect(made.output.contains("\"created\":\"2023-11-14T22:13:20.000Z\""), "\(made.output)\(made.errors)")
        }
    }

    @Test func `packets are shown in both forms and written in either`() async throws {
        let folder = try TemporaryFolder()
        let (wire, json) = ("\(folder.path)/packet", "\(folder.path)/packet.json")
        try write(Samples.packet().encoded(), wire)
        let shown = try await epitope(["packet", "show", wire])
        #expect(shown.status == 0, "\(shown.errors)")
        try write(Array(shown.output.utf8), json)
        let again = try await epitope(["packet", "show", json])
        #expect(again.status == 0 && again.output == shown.output)
        let written = try await Command.run(
            "/bin/sh", ["-c", "\"$1\" packet show --wire \"$2\" | cmp - \"$3\"", "sh", Command.built("epitope"), json, wire])
        #expect(written.status == 0, "\(written.output)\(written.errors)")
        try write(Array(Samples.packet().encoded().dropLast(30)), wire)
        let damaged = try await epitope(["packet", "show", wire])
        expectFailure(damaged, "packet-malformed")
        #expect(damaged.errors.contains(wire))
        let program = try await epitope(["packet", "show", "/bin/true"])
        expectFailure(program, "input-unusable")
        #expect(program.errors.contains("ELF"))
        try write(Array("{\"tokens\": []}".utf8), json)
        let signature = try await epitope(["packet", "show", json])
        expectFailure(signature, "input-unusable")
        #expect(signature.errors.contains("a signature"))
    }

    @Test func `extract refuses bad input with its code`() async throws {
        let folder = try TemporaryFolder()
        let region = "\(folder.path)/region.bin"
        try Data([1, 2, 3]).write(to: URL(filePath: region))
        expectFailure(try await epitope(["extract", "\(folder.path)/none"]), "file-unreadable")
        expectFailure(try await epitope(["extract", "--base", "0xzz", region]), "address-malformed")
        expectFailure(try await epitope(["extract", "--caller", "99", region]), "caller-outside-code")
        let unproven = try await epitope(["extract", "-o", "yara", "--caller", "2", region])
        #expect(unproven.status == 2 && unproven.output.isEmpty && unproven.errors.contains("[signature-unproven]"), "\(unproven.errors)")
        #expect(try await epitope(["extract", "--caller", "2", region]).status == 2)
        #expect(try await epitope(["extract", region]).status == 2)
        try Data([0, 0, 0]).write(to: URL(filePath: region))
        expectFailure(try await epitope(["extract", region]), "code-empty")
        try Data().write(to: URL(filePath: region))
        expectFailure(try await epitope(["extract", region]), "code-empty")
        try FileManager.default.removeItem(atPath: region)
        expectFailure(try await epitope(["extract", folder.path]), "no-samples")
        try Data([0xff, 0xff]).write(to: URL(filePath: "\(folder.path)/packet"))
        let none = try await epitope(["extract", folder.path])
        expectFailure(none, "no-samples")
        #expect(none.errors.contains("\(folder.path)/packet: "), "\(none.errors)")
        try Data([0x08, 1, 0x12, 0x20, 0x30]).write(to: URL(filePath: "\(folder.path)/packet"))
        let malformed = try await epitope(["extract", "\(folder.path)/packet"])
        expectFailure(malformed, "packet-malformed")
        #expect(malformed.errors.contains("\(folder.path)/packet: "), "\(malformed.errors)")
    }
}
