// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GRDB
import PacketCoding
import TestSupport
import Testing

/// What a person sees who gives a command what it can't use: a stable code, what to do, status 1, nothing changed.
@Suite struct BadInputTests {
    @Test func `a token works once and only whole and in time`() async throws {
        let center = try await Center()
        try await center.serve()
        let token = try await center.token("host-1")
        #expect(try await Host().enroll(at: center.url, token: token).status == 0)
        let late = try Host("late")
        expectFailure(try await late.enroll(at: center.url, token: token), "token-used")
        expectFailure(try await late.enroll(at: center.url, token: token.dropLast() + "_"), "token-malformed")

        let lapsed = try await center.token("late")
        let database = try DatabaseQueue(path: "\(center.state)/center.sqlite")
        try await database.write { try $0.execute(sql: "UPDATE tokens SET expires_ms = 1 WHERE name = 'late'") }
        expectFailure(try await late.enroll(at: center.url, token: lapsed), "token-expired")

        let other = try await Center()
        expectFailure(try await late.enroll(at: center.url, token: other.token("late")), "authority-mismatch")
        try await center.stop()
        expectFailure(try await late.enroll(at: center.url, token: lapsed), "center-unreachable")
        #expect(!FileManager.default.fileExists(atPath: "\(late.state)/local/identity.json"))
    }

    @Test func `a token stays good where it was shown to the wrong kind of center, or for the wrong role`() async throws {
        let (local, global) = (try await Center(), try await Center(.global))
        try await local.serve()
        try await global.serve()
        let host = try Host()
        for (center, wrong, right) in [(local, ["--global"], []), (global, [], ["--global"])] {
            let token = try await center.token("host-1")
            expectFailure(try await host.enroll(at: center.url, token: token, wrong), "center-of-another-kind")
            if center.kind == .global {
                expectFailure(
                    try await local.command("link", "--center", center.url, "--token", token), "token-of-another-role")
            }
            #expect(try await host.enroll(at: center.url, token: token, right).status == 0)
        }
    }

    @Test func `an enrolled host whose run can't start says why`() async throws {
        let center = try await Center()
        try await center.serve()
        let host = try Host()
        #expect(try await host.enroll(at: center.url, token: center.token("host-1")).status == 0)
        expectFailure(try await epitope(["run", "--state", host.state, "--", "/nonexistent/program"]), "command-not-found", status: 127)
        let policy = "\(host.state)/policy.json"
        try Data("no JSON".utf8).write(to: URL(filePath: policy))
        // Protection comes first: the default policy is in force, and it says so.
        let unruly = try await epitope(["run", "--state", host.state, "--policy", policy, "--", "/bin/true"])
        #expect(unruly.status == 0 && unruly.errors.contains("the default policy is in force [policy-invalid]"), "\(unruly.errors)")
    }

    @Test func `packet files are checked as a center would`() async throws {
        let folder = try TemporaryFolder()
        func show(_ bytes: [UInt8]) async throws -> Command {
            try Data(bytes).write(to: URL(filePath: "\(folder.path)/packet"))
            return try await epitope(["packet", "show", "\(folder.path)/packet"])
        }
        let good = Samples.packet().encoded()
        let shown = try await show(good)
        #expect(shown.status == 0 && shown.output.contains(Samples.packet().id))
        expectFailure(try await show(Array(good.dropLast(7))), "packet-malformed")
        expectFailure(try await show(good + [UInt8](repeating: 0, count: ExtractedPacket.maxEncodedBytes)), "packet-too-large")
        // The version is the first field: tag 0x08, then its number.
        try #require(good.starts(with: [8, 1]))
        expectFailure(try await show([8, 99] + good.dropFirst(2)), "packet-version-unknown")
        var astray = Samples.packet()
        astray.callersAddress = 1
        expectFailure(try await show(astray.encoded()), "caller-outside-code")
        expectFailure(try await epitope(["packet", "show", "\(folder.path)/none"]), "file-unreadable")
    }

    @Test func `a center is made once and served only then`() async throws {
        let folder = try TemporaryFolder()
        let absent = "\(folder.path)/absent"
        for kind in ["local-center", "global-center"] {
            for noun in [["serve"], ["status"], ["events"], ["token", "--host", "h"], ["revoke", "--host", "h"]] {
                let command = try await epitope([kind, noun[0], "--state", absent] + noun.dropFirst())
                expectFailure(command, "authority-missing")
            }
        }
        #expect(!FileManager.default.fileExists(atPath: absent))
        let center = try await Center()
        let authority = "\(center.state)/authority"
        let before = try FileManager.default.subpathsOfDirectory(atPath: authority).map {
            FileManager.default.contents(atPath: "\(authority)/\($0)")
        }
        #expect(!before.isEmpty)
        expectFailure(try await center.command("init", "--name", "again", "--address", "127.0.0.1"), "authority-exists")
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: authority).map {
                FileManager.default.contents(atPath: "\(authority)/\($0)")
            } == before)
        expectFailure(try await center.command("show", "00112233445566778899aabbccddeeff"), "packet-not-found")
        expectFailure(try await center.command("withdraw", "00112233445566778899aabbccddeeff", "--reason", "none"), "signature-unknown")
    }

    @Test(arguments: ["local-center", "global-center"]) func `the next steps are told with the folder that they need`(_ kind: String)
        async throws
    {
        let folder = try TemporaryFolder()
        let state = "\(folder.path)/a center"
        let made = try await epitope([kind, "init", "--state", state, "--name", "test-site", "--address", "127.0.0.1"])
        let next = try #require(made.output.split(separator: "\n").first { $0.contains("next: ") }, "\(made.output)\(made.errors)")
        #expect(next.contains("epitope \(kind) token --state '\(state)' \(kind == "global-center" ? "--site" : "--host") NAME"), "\(next)")
        #expect(next.contains("epitope \(kind) serve --state '\(state)'"), "\(next)")
    }

    @Test(arguments: ["{", #"{"threshold": 5}"#, #"{"thresholdPoints": 0}"#, #"{"first": "nobody"}"#, #"{"suricata": {"sockets": "/x"}}"#])
    func `serve refuses settings that can not be used`(text: String) async throws {
        let folder = try TemporaryFolder()
        try Data(text.utf8).write(to: URL(filePath: "\(folder.path)/settings.json"))
        let center = try await Center()
        expectFailure(
            try await center.command("serve", "--config", "\(folder.path)/settings.json", "--listen", "127.0.0.1:0"),
            "configuration-invalid")
        expectFailure(try await center.command("serve", "--config", "\(folder.path)/none.json"), "configuration-missing")
    }
}
