// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// `epitope run` with damaged or missing parts: the command runs, its attacks are denied, and what is wrong is said.
@Suite(.serialized) struct ProtectionFirstTests {
    enum Damage: String, CaseIterable {
        case store, identity, policy, missingPolicy, folderIsAFile, log, everything
    }

    @Test(arguments: Damage.allCases) func `attacks are denied whatever is damaged`(damage: Damage) async throws {
        let host = try Host()
        let policy = try TemporaryFolder()
        var options: [String] = []
        if damage == .folderIsAFile {
            try Data().write(to: URL(fileURLWithPath: host.state))
        } else {
            try FileManager.default.createDirectory(atPath: host.state + "/local", withIntermediateDirectories: true)
        }
        if damage == .store || damage == .everything {
            try Data(repeating: 0x2a, count: 8192).write(to: URL(fileURLWithPath: host.state + "/host.sqlite"))
        }
        if damage == .identity || damage == .everything {
            try Data("{".utf8).write(to: URL(fileURLWithPath: host.state + "/local/identity.json"))
        }
        if damage == .policy || damage == .everything {
            options = ["--policy", try PolicyTests.policy(#"{"actoin": "watch"}"#, in: policy)]
        }
        if damage == .log { mkfifo(host.state + "/events.jsonl", 0o600) }
        if damage == .missingPolicy { options = ["--policy", policy.path + "/nothing"] }
        let run = try await host.attack(options: options)
        switch damage {
        case .policy, .everything: #expect(run.errors.contains("[policy-invalid]"), "\(run.errors)")
        case .missingPolicy: #expect(run.errors.contains("[policy-missing]"), "\(run.errors)")
        case .identity: #expect(run.errors.contains("[identity-malformed]"), "\(run.errors)")
        case .store: #expect(run.errors.contains("[host-store-damaged]"), "\(run.errors)")
        case .log: #expect(run.errors.contains("[log-unwritable]"), "\(run.errors)")
        case .folderIsAFile: #expect(run.errors.contains("[host-store-unusable]"), "\(run.errors)")
        }
        if damage == .store || damage == .everything {
            #expect(host.events("spooled").count == 1)
            #expect(FileManager.default.fileExists(atPath: host.state + "/host.sqlite.damaged"))
        }
    }

    @Test func `a disk that is full from the start keeps no attack from being denied`() async throws {
        let folder = try TemporaryFolder()
        let disk = try await Namespace(["--mount"], setup: "mount -t tmpfs -o size=512k epitope-test \(folder.path)")
        try await disk.run(["/bin/sh", "-c", "dd if=/dev/zero of=\(folder.path)/fill bs=4096 2>/dev/null || true"])
        let host = try Host(state: folder.path, within: disk)
        let run = try await host.attack()
        #expect(run.errors.contains("[disk-full]") || run.errors.contains("[host-store-unusable]"), "\(run.errors)")
    }
}

/// What a host's limits hold back: not the attack of another program, and not without a word.
@Suite(.serialized) struct WithheldTests {
    @Test func `decoys hold back neither another program's attack nor the count of what they hid`() async throws {
        let (center, host) = try await makeSite()
        // Four decoys of one program: three are sent, one waits.
        try await host.attacks(4)
        #expect(host.events("spooled").count == 3 && host.events("over-quota").count == 1)
        try await host.attack()
        #expect(host.events("spooled").count == 4)
        let stored = try await center.events("stored").map(\.subject)
        #expect(stored.count == 4)
        let told = try await center.events("withheld")
        #expect(told.map(\.subject) == [host.name])
        #expect(told.first?.detail == "1 beyond the day's quota, 1 waiting for the quota", "\(told)")
        let status = try await center.command("status")
        #expect(status.output.contains("1 waiting for the quota"), "\(status.output)")
        // What waits is sent once the quota allows it.
        try await host.run("call-stub", ["bench", "1", "9"], options: ["--packets-per-day", "9"])
        #expect(try await center.events("stored").count == 5)
    }

    @Test func `six hundred attacks of one process are all in the log or in its counts`() async throws {
        let host = try Host()
        try await host.attacks(600)
        let lines = try String(contentsOfFile: host.state + "/events.jsonl", encoding: .utf8).split(separator: "\n")
        struct Counted: Decodable {
            var event: String
            var count: Int?
        }
        let events = try lines.map { try JSONDecoder().decode(Counted.self, from: Data($0.utf8)) }
        let counted = events.filter { ["suppressed", "lost"].contains($0.event) }.reduce(0) { $0 + ($1.count ?? 0) }
        #expect(events.count { $0.event == "blocked" } + counted == 600)
        #expect(events.count { $0.event == "blocked" } > 300)
        #expect(events.count { $0.event == "spooled" } == 3)
        #expect(events.count { $0.event == "over-quota" } >= 256)
    }
}
