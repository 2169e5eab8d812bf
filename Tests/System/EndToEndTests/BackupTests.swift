// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A machine is lost, and its center put back on another from a backup that was made while it served.
@Suite(.serialized) struct BackupTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func backUp(_ center: Center, _ more: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
        let made = try await epitope([center.kind.rawValue, "backup", "--state", center.state, "--output", folder.path] + more)
        try #require(made.status == 0, "\(made.output)\(made.errors)", sourceLocation: sourceLocation)
        let path = try #require(made.output.split(separator: ":").first, sourceLocation: sourceLocation)
        #expect(path.hasPrefix(folder.path) && path.hasSuffix(".backup"), "\(made.output)", sourceLocation: sourceLocation)
        return String(path)
    }

    @Test func `every receipt given before the backup is there, and who was revoked stays so`() async throws {
        let center = try await Center()
        try await center.serve()
        let hosts = try (1...3).map { try Host("host-\($0)") }
        for host in hosts { try await host.enroll(at: center) }
        let (early, late) = (try Host("early"), try Host("late"))
        for host in [early, late] { try await host.enroll(at: center) }
        #expect(try await center.command("revoke", "--host", early.name).status == 0)
        let unused = try await center.token("guest")

        let (epitopeProgram, series) = (try Command.built("epitope"), try Command.built("call-series"))
        let load = try hosts.map { host in
            try RunningProcess([
                epitopeProgram, "run", "--state", host.state, "--packets-per-day", "1000", "--", series, "300", "10", "9555",
            ])
        }
        try await eventually("the load is under way") { hosts.allSatisfy { $0.events("sent").count >= 20 } }
        // The hosts' own ledger of receipts.
        let ledger = hosts.flatMap { $0.events("sent").compactMap(\.packet) }
        let backup = try await backUp(center, "--with-key")
        let after = hosts.flatMap { $0.events("sent").compactMap(\.packet) }
        try await eventually("the load's end") { load.allSatisfy(\.hasEnded) }
        let all = hosts.flatMap { $0.events("sent").compactMap(\.packet) }
        #expect(all.count > after.count, "hosts went on to send after the backup")
        #expect(try await center.command("revoke", "--host", late.name).status == 0)
        let newcomer = try Host("newcomer")
        try await newcomer.enroll(at: center)
        try await center.stop(SIGKILL)

        let checked = try await epitope(["local-center", "restore", "--check", "--from", backup])
        #expect(checked.status == 0 && checked.output.contains("whole; local-center"), "\(checked.output)\(checked.errors)")
        let restored = try await Center(
            restoring: backup, of: center, ["--revocations", center.state + "/center.sqlite-revocations"])
        let said = try #require(restored.restoration?.output)
        #expect(said.contains("revoked after the backup, by the list: 1: host late"), "\(said)")
        try await restored.serve()
        let stored = try await restored.events("stored").map(\.subject)
        #expect(ledger.count >= 60 && Set(stored).isSuperset(of: ledger))
        #expect(Set(stored).count == stored.count)
        for host in [early, late] {
            let run = try await host.attack()
            #expect(run.errors.contains("[revoked]"), "\(host.name): \(run.errors)")
        }
        expectFailure(try await Host("guest").enroll(at: restored.url, token: unused), "token-revoked")
        // All others go on as they are, and somebody new gets in: the key came with the backup.
        try await hosts[0].attack()
        try await eventually("a packet of after the restore") { try await restored.events("stored").count > stored.count }
        try await Host("guest").enroll(at: restored)
        try await newcomer.attack()
        #expect(newcomer.events("sent").count == 1, "who enrolled after the backup")
        let peers = try await restored.command("peers").output.split(separator: "\n")
        #expect(peers.contains { $0.hasPrefix("newcomer ") && $0.contains("enrolled") }, "\(peers)")
        // What a person sees who has no list of revocations.
        let without = try await epitope(["local-center", "restore", "--state", folder.path + "/without", "--from", backup])
        #expect(without.status == 0 && without.output.contains("WARNING: who was revoked after"), "\(without.output)\(without.errors)")
        expectFailure(try await epitope(["local-center", "restore", "--state", restored.state, "--from", backup]), "state-not-empty")
        expectFailure(
            try await epitope(["global-center", "restore", "--state", folder.path + "/other", "--from", backup]), "backup-of-another-kind")
        try await restored.stop()
    }

    @Test func `subscribers of a restored global center miss none of its updates`() async throws {
        let global = try await Center(.global)
        try await global.serve()
        let host = try Host()
        try await host.enroll(at: global)
        #expect(try await global.command("trust", "--host", host.name).status == 0)
        var sites: [Center] = []
        for name in ["site-1", "site-2"] {
            let site = try await Center()
            let token = try await global.command("token", "--site", name)
            let linked = try await site.command(
                "link", "--center", global.url, "--token", token.output.trimmingCharacters(in: .whitespacesAndNewlines))
            try #require(linked.status == 0, "\(linked.errors)")
            try await site.serve()
            sites.append(site)
        }
        func signatures(of site: Center) async throws -> Set<String> { try await Set(site.status().latestUpdates.map(\.signatureID)) }
        func published(_ center: Center) async throws -> [Center.Event] { try await center.events("published") }
        func publishAnother(by center: Center) async throws -> String {
            let count = try await published(center).count
            try await host.attacks(1, options: ["--send-to", "global", "--packets-per-day", "1000"])
            try await eventually("another is published") { try await published(center).count == count + 1 }
            return try #require(try await published(center).last).subject
        }
        let first = try await publishAnother(by: global)
        for site in sites { try await eventually("the first came") { try await signatures(of: site) == [first] } }
        // One site is away from here on, with the position that the backup has.
        try await sites[1].stop()
        let backup = try await backUp(global, "--with-key")
        let lost = try await publishAnother(by: global)
        try await eventually("the second came") { try await signatures(of: sites[0]) == [first, lost] }
        try await global.stop(SIGKILL)

        let restored = try await Center(restoring: backup, of: global)
        try await restored.serve()
        let next = try await publishAnother(by: restored)
        #expect(try await published(restored).last?.detail.hasPrefix("sequence 2,") == true, "the number that the lost one had")
        try await sites[1].serve()
        try await eventually("it came to the site that had read further") { try await signatures(of: sites[0]) == [first, lost, next] }
        try await eventually("it came to the site that was away") { try await signatures(of: sites[1]) == [first, next] }
        let withdrawn = try await restored.command("withdraw", next, "--reason", "a test")
        #expect(withdrawn.status == 0, "\(withdrawn.errors)")
        for site in sites {
            try await eventually("its withdrawal, too") {
                try await site.status().latestUpdates.contains { $0.signatureID == next && $0.state == "withdrawn" }
            }
        }
        for site in sites { try await site.stop() }
        try await restored.stop()
    }

    @Test func `a disk that is full leaves no half of a backup, nor of a restored center`() async throws {
        let (center, host) = try await makeSite()
        // In the store's log, so that what is missing shows only while it is copied.
        try await host.attacks(60, options: ["--packets-per-day", "1000"])
        let disk = try await Namespace(["--mount"], setup: "mount -t tmpfs -o size=1200k epitope-test \(folder.path)")
        func contents() async throws -> String { try await disk.run(["/bin/ls", "-A", folder.path]).output }
        func backUp() async throws -> Command {
            try await epitope(["local-center", "backup", "--state", center.state, "--output", folder.path + "/b"], within: disk)
        }
        let full = try await backUp()
        expectFailure(full, "disk-full")
        #expect(try await contents().isEmpty)
        try await center.stop()
        // Now in its file: it is found out at once.
        let early = try await backUp()
        expectFailure(early, "disk-full")
        #expect(early.errors.contains("which needs some"), "\(early.errors)")
        #expect(try await contents().isEmpty)

        let other = try TemporaryFolder()
        let made = try await center.command("backup", "--output", other.path + "/b")
        try #require(made.status == 0, "\(made.errors)")
        expectFailure(
            try await epitope(["local-center", "restore", "--state", folder.path + "/s", "--from", other.path + "/b"], within: disk),
            "disk-full")
        #expect(try await contents().isEmpty)
    }
}
