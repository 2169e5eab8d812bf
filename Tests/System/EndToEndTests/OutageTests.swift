// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Parts that are away, turn a host away, or end in the middle: nothing acknowledged is lost, nothing comes twice.
@Suite(.serialized) struct OutageTests {
    @Test func `packets wait for the center and arrive once`() async throws {
        let (center, host) = try await makeSite()
        try await center.stop()
        try await host.attacks(2)
        #expect(host.events("sent").isEmpty && host.events("unreachable").first?.code == "center-unreachable")
        try await center.serve()
        try await host.run("call-stub", ["bench", "1", "9"])
        let spooled = host.events("spooled").compactMap(\.packet)
        #expect(spooled.count == 2)
        #expect(host.events("sent").compactMap(\.packet) == spooled)
        try await host.run("call-stub", ["bench", "1", "9"])
        #expect(try await center.events("stored").map(\.subject) == spooled)
    }

    @Test func `an impostor of the center gets nothing`() async throws {
        let (center, host) = try await makeSite()
        try await center.stop()
        let port = try #require(center.url.split(separator: ":").last)
        let impostor = try await Center()
        try await impostor.serve(["--listen", "127.0.0.1:\(port)"])
        try await host.attack()
        #expect(host.events("unreachable").first?.code == "center-wrong")
        #expect(try await impostor.events("stored").isEmpty)
        try await impostor.stop()
        try await center.serve()
        try await host.run("call-stub", ["bench", "1", "9"])
        #expect(host.events("sent").count == 1)
    }

    @Test func `a revoked host keeps its packets`() async throws {
        let (center, host) = try await makeSite()
        #expect(try await center.command("revoke", "--host", host.name).status == 0)
        let run = try await host.attack()
        #expect(run.errors.contains("[revoked]"), "\(run.errors)")
        #expect(host.events("stopped").first?.code == "revoked")
        #expect(try await center.events("stored").isEmpty)
        try await host.enroll(at: center)
        try await host.run("call-stub", ["bench", "1", "9"])
        #expect(try await center.events("stored").map(\.subject) == host.events("spooled").compactMap(\.packet))
    }

    @Test func `a rule goes live when Suricata comes back after the center was killed`() async throws {
        let suricata = try Suricata()
        let (center, host) = try await makeSite(serving: suricata.options)
        try await host.attack(port: 9557)
        let packet = try #require(host.events("sent").first?.packet)
        let server = try #require(center.server)
        try await eventually("word of the absent Suricata") { server.errors.contains("[suricata-absent]") }
        try await center.stop(SIGKILL)
        #expect(try await center.events("stored").map(\.subject) == [packet])

        try await center.serve(suricata.options)
        try await suricata.start()
        try await eventually("the rule is live", seconds: 45) { try await center.events("delivered").count == 1 }
        #expect(try await suricata.loaded() == 1)
        #expect(suricata.rules.split(separator: "\n").count { $0.contains("sid:") } == 1)
        #expect(try await center.status().latestUpdates.count == 1)

        // Stopped in service: another attack's rule is live after it came back, beside the first.
        try await suricata.stop()
        try await host.attacks(1)
        let second = try #require(center.server)
        try await eventually("word of the stopped Suricata") {
            second.errors.contains("[suricata-stopped]") || second.errors.contains("[suricata-absent]")
        }
        try await suricata.start()
        try await eventually("both rules are live", seconds: 45) { try await center.events("delivered").count == 2 }
        #expect(try await suricata.loaded() == 2)
        #expect(Set(try await center.status().latestUpdates.compactMap(\.sid)).count == 2)
    }

    @Test func `a rules folder that can not be written is named`() async throws {
        let folder = try TemporaryFolder()
        _ = try folder.makeFile("file")
        let (center, host) = try await makeSite(serving: [
            "--suricata-socket", "\(folder.path)/socket", "--suricata-rules", "\(folder.path)/file/epitope.rules",
        ])
        let server = try #require(center.server)
        try await eventually("word of the folder, at the start") { server.errors.contains("[rules-folder-unwritable]") }
        try await host.attack()
        try await eventually("word of the folder, with the update") {
            try await center.status().latestUpdates.first?.deliveries["ids"]?.contains("[rules-folder-unwritable]") == true
        }
    }

    @Test func `a program without its supervisor can not make critical calls`() async throws {
        let host = try Host()
        let run = try RunningProcess([
            Command.built("epitope"), "run", "--state", host.state, "--", Command.built("call-series"), "8", "250", "9555",
        ])
        try await run.line(with: "0 1")
        run.send(SIGKILL)
        // ENOSYS: the kernel's answer when nobody answers for it. The program itself goes on to its end.
        try await eventually("the last call's result") { run.output.contains("7 38\n") }
        #expect(!run.output.split(separator: "\n").contains { $0.hasSuffix(" 0") })
    }

    @Test func `the quota and the seen fingerprints outlast a restart`() async throws {
        let (center, host) = try await makeSite()
        for _ in 0..<2 { try await host.attack() }
        #expect(host.events("duplicate").count == 1)
        for _ in 0..<3 { try await host.attacks(1) }
        #expect(host.events("over-quota").count == 1)
        #expect(host.events("sent").count == 3)
        #expect(try await center.events("stored").map(\.subject) == host.events("spooled").compactMap(\.packet))
    }
}
