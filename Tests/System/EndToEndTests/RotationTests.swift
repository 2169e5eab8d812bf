// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A center's authority is replaced by the command line, and many hosts enrol by one token.
@Suite struct RotationTests {
    private struct Peer: Decodable {
        var name: String
        var state: String
        var authority: String?
    }

    private struct Token: Decodable {
        struct Use: Decodable {
            var name: String
            var address: String?
        }

        var id: String
        var state: String
        var used: Int
        var uses: [Use]
    }

    private func peers(_ center: Center) async throws -> [String: Peer] {
        let listed = try await center.command("peers", "--json")
        return Dictionary(uniqueKeysWithValues: try JSONDecoder().decode([Peer].self, from: Data(listed.output.utf8)).map { ($0.name, $0) })
    }

    private func fingerprint(in text: String) throws -> String {
        String(try #require(text.firstMatch(of: /SHA-256[^:]*: ([0-9a-f]{64})/)?.1))
    }

    @Test func `hosts follow while both go on; the old authority is retired once nobody is locked out`() async throws {
        let (center, host) = try await makeSite()
        let serving = try #require(center.server?.identifier)
        // It is enrolled, and never there.
        let away = try Host("host-2")
        try await away.enroll(at: center)
        let token = try await center.token("host-3")
        let service = try AttackedService(of: host, attacks: 3)
        try service.attack(1)
        try await eventually("the first packet") { host.events("sent").count == 1 }

        expectFailure(try await center.command("rotate-authority", "--retire"), "authority-missing")
        let begun = try await center.command("rotate-authority")
        #expect(begun.status == 0, "\(begun.errors)")
        let next = try fingerprint(in: begun.output)
        let again = try await center.command("rotate-authority")
        #expect(again.status == 0 && again.output.contains("have no certificate of the next authority"), "\(again.output)\(again.errors)")
        try await eventually("the host has a certificate of the next authority", seconds: 240) {
            try await peers(center)["host-1"]?.authority == next
        }
        #expect(host.events("authority-changed").count == 1 && host.events("renewed").count == 1)
        try service.attack(2)
        try await eventually("the second packet") { host.events("sent").count == 2 }

        let refused = try await center.command("rotate-authority", "--retire")
        expectFailure(refused, "authority-in-use")
        #expect(refused.errors.contains("1 of 2 have no certificate of the next authority: host host-2"), "\(refused.errors)")
        #expect(refused.errors.contains("1 tokens"), "\(refused.errors)")
        #expect(try await peers(center)["host-2"]?.authority != next)
        let retired = try await center.command("rotate-authority", "--retire", "--force")
        #expect(retired.status == 0 && retired.output.contains("tokens that were not used are good no more: 1"), "\(retired.errors)")
        #expect(try await center.command("rotate-authority", "--retire").output.contains("is retired already"))
        try await eventually("the host trusts the new authority alone", seconds: 240) { host.events("authority-changed").count == 2 }
        try service.attack(3)
        try await eventually("the third packet") { host.events("sent").count == 3 }
        #expect(host.events("stopped").isEmpty && host.events("renewal-failed").isEmpty)
        #expect(center.server?.identifier == serving && center.server?.hasEnded == false, "the center was not started again")

        // Who was away hears why it is turned away, and a token of before is of another center.
        try await away.attack()
        #expect(away.events("stopped").contains { $0.code == "certificate-foreign" && $0.message?.contains("retired") == true })
        expectFailure(try await Host("host-3").enroll(at: center.url, token: token), "authority-mismatch")
        try await away.enroll(at: center)
        #expect(away.events("sent").count == 1)
        #expect(try await center.events("authority-retired").count == 1)
        #expect(
            try String(contentsOfFile: "\(center.state).key/authority-key.pem", encoding: .utf8).components(separatedBy: "BEGIN").count == 2
        )
        try await center.stop()
    }

    @Test func `with a key process of its own, that one is started again, and nothing else`() async throws {
        let center = try await Center()
        let folder = try TemporaryFolder()
        let (credentials, socket) = ("\(folder.path)/credentials", "\(folder.path)/key.socket")
        /// A copy of the keys, as systemd gives a unit one.
        func start() throws -> RunningProcess {
            try? FileManager.default.removeItem(atPath: credentials)
            try FileManager.default.copyItem(atPath: "\(center.state).key", toPath: credentials)
            return try RunningProcess([
                Command.built("epitope"), "local-center", "key", "--state", center.state, "--key-folder", credentials, "--socket", socket,
            ])
        }
        var key = try start()
        try await eventually("the socket") { FileManager.default.fileExists(atPath: socket) }
        try await center.serve(["--key-socket", socket])
        let host = try Host()
        try await host.enroll(at: center)
        let service = try AttackedService(of: host, attacks: 1)
        let next = try fingerprint(in: try await center.command("rotate-authority").output)
        func said(_ words: String) async throws {
            try await eventually(words, seconds: 120) { center.server?.errors.contains(words) == true }
        }
        try await said("doesn't have its key yet")
        try await key.end()
        key = try start()
        try await said("is announced")
        try await eventually("the host has a certificate of the next authority", seconds: 240) {
            try await peers(center)["host-1"]?.authority == next
        }
        // The old key process still has both keys, of which the center orders by the new one.
        let retired = try await center.command("rotate-authority", "--retire")
        #expect(retired.status == 0, "\(retired.errors)")
        try await eventually("the host trusts the new authority alone", seconds: 240) { host.events("authority-changed").count == 2 }
        try service.attack(1)
        try await eventually("a packet") { host.events("sent").count == 1 }
        try await key.end()
        key = try start()
        try await Host("host-9").enroll(at: center)
        try await center.stop()
        try await key.end()
    }

    @Test func `the command is killed at any moment, and given again`() async throws {
        let (center, _) = try await makeSite()
        for milliseconds in [1, 5, 10, 20, 40, 60, 80, 120, 160] {
            for step in [["rotate-authority"], ["rotate-authority", "--retire", "--force"]] {
                let words = try [Command.built("epitope"), "local-center", step[0], "--state", center.state] + step.dropFirst()
                let running = try RunningProcess(words)
                try await Task.sleep(for: .milliseconds(milliseconds))
                kill(running.identifier, SIGKILL)
                try await eventually("its end") { running.hasEnded }
                let again = try await epitope(["local-center", step[0], "--state", center.state] + step.dropFirst())
                // Where the first was done, there is no next authority to retire, or another one is begun.
                #expect(again.status == 0, "after \(milliseconds) ms: \(again.errors)")
            }
        }
        try await eventually("the center goes on") {
            try await Host("host-7").enroll(at: center.url, token: try await center.token("host-7")).status == 0
        }
        try await center.stop()
    }

    @Test func `several hosts enrol by one token, as many as it says, each by a new name`() async throws {
        let center = try await Center()
        try await center.serve()
        try await Host("web-0").enroll(at: center)
        for wrong in [
            ["--hosts", "2"], ["--hosts", "0", "--names", "*"], ["--host", "a", "--names", "*"], ["--hosts", "2", "--names", "a*b*"],
        ] {
            #expect(try await epitope(["local-center", "token", "--state", center.state] + wrong).status == 64, "\(wrong)")
        }
        let made = try await center.command(
            "token", "--hosts", "2", "--names", "web-*", "--network", "127.0.0.0/8", "--valid-days", "1")
        #expect(made.status == 0, "\(made.errors)")
        let token = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        func enrol(_ name: String) async throws -> Command {
            try await Host(name).enroll(at: center.url, token: token, ["--name", name])
        }
        expectFailure(try await enrol("db-1"), "token-of-another-name")
        expectFailure(try await enrol("web-0"), "name-taken")
        #expect(try await enrol("web-1").output.contains("enrolled as host web-1"))
        let listed = try await center.command("tokens", "--json")
        let open = try #require(try JSONDecoder().decode([Token].self, from: Data(listed.output.utf8)).first)
        #expect(open.state == "open" && open.used == 1 && open.uses.map(\.name) == ["web-1"] && open.uses.first?.address == "127.0.0.1")
        let revoked = try await center.command("revoke", "--host", "web-1")
        #expect(revoked.errors.contains("with which 1 more hosts can"), "\(revoked.errors)")
        #expect(try await enrol("web-2").status == 0)
        expectFailure(try await enrol("web-3"), "token-used")
        expectFailure(try await center.command("tokens", "--revoke", open.id), "token-not-open")

        let other = try await center.command("token", "--hosts", "9", "--names", "*", "--network", "192.0.2.0/24")
        expectFailure(
            try await Host("a").enroll(at: center.url, token: other.output.trimmingCharacters(in: .newlines), ["--name", "a"]),
            "token-of-another-network")
        let table = try await center.command("tokens").output
        let id = try #require(table.split(separator: "\n").first { $0.contains("192.0.2.0/24") }?.split(separator: " ").first)
        #expect(try await center.command("tokens", "--revoke", String(id)).status == 0)
        expectFailure(
            try await Host("b").enroll(at: center.url, token: other.output.trimmingCharacters(in: .newlines), ["--name", "b"]),
            "token-revoked")
        try await center.stop()
    }

    @Test func `what one machine of a center has retired, no other one lets in, whatever its files say`() async throws {
        let database: [String: Any] = ["store": ["postgresql": try PostgresServer.shared.get().makeDatabase()]]
        let first = try await Center()
        try await first.serve(settings: database)
        // One with the files of before, and one with those of the first step.
        let unaware = try Center(beside: first)
        let begun = try await first.command("rotate-authority")
        try #require(begun.status == 0, "\(begun.errors)")
        let aware = try Center(beside: first)
        for center in [unaware, aware] { try await center.serve(settings: database) }
        let host = try Host("host-1")
        try await host.enroll(at: unaware)
        #expect(try await host.attack().status == 0)
        try await eventually("the first packet") { try await first.status().reports.values.reduce(0, +) == 1 }

        let retired = try await first.command("rotate-authority", "--retire", "--force")
        try #require(retired.status == 0, "\(retired.errors)")
        #expect(retired.output.contains("other machines of this center"), "\(retired.output)")
        try await eventually("the unaware one says that it lets nobody in") {
            let health = try await Command.run("/usr/bin/curl", ["--silent", "--insecure", "\(unaware.url)/v1/health"])
            return health.output.contains(#""authority":"authority-elsewhere""#)
        }
        expectFailure(try await unaware.command("token", "--host", "host-2"), "authority-elsewhere")
        let checked = try await unaware.command("check", "--config", unaware.settingsPath, "--listen", "127.0.0.1:0")
        #expect(checked.status == 1 && checked.output.contains("authority-elsewhere"), "\(checked.output)\(checked.errors)")
        try await unaware.stop()
        let refused = try await epitope([
            "local-center", "serve", "--state", unaware.state, "--config", unaware.settingsPath, "--listen", "127.0.0.1:0",
        ])
        expectFailure(refused, "authority-elsewhere")

        // The other one has the next authority, and goes by it without being told; its files are made so by the same command.
        let token = try await aware.token("host-3")
        // The token pins the present authority.
        let late = try Host("host-3")
        try await eventually("a host enrols", seconds: 60) { try await late.enroll(at: aware.url, token: token).status == 0 }
        let warned = try await aware.command("check", "--config", aware.settingsPath, "--listen", "127.0.0.1:0")
        #expect(warned.output.contains("authority-elsewhere"), "\(warned.output)\(warned.errors)")
        let finished = try await aware.command("rotate-authority", "--retire")
        #expect(finished.status == 0 && finished.output.contains("its key is destroyed"), "\(finished.output)\(finished.errors)")
        #expect(try await aware.events("authority-retired").count == 1)
        let clean = try await aware.command("check", "--config", aware.settingsPath, "--listen", "127.0.0.1:0")
        #expect(!clean.output.contains("authority-elsewhere"), "\(clean.output)")
        for center in [aware, first] { try await center.stop() }
    }
}
