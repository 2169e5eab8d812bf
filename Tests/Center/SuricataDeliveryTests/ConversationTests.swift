// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Glibc
import Signatures
import TestSupport
import Testing

@testable import SuricataDelivery

private let ok = #"{"return":"OK"}"#
private let done = #"{"message":"done","return":"OK"}"#
private let busy = #"{"message":"Reload already in progress","return":"NOK"}"#

@Suite struct Conversations {
    private func settings(_ path: String, timeout: Double = 5) -> SuricataSettings {
        SuricataSettings(socketPath: path, rulesFile: "/nonexistent/epitope.rules", commandTimeout: timeout, reloadTimeout: timeout)
    }

    @Test func `answers in pieces are read whole`() throws {
        let fake = FakeSuricata([ok, #"{"message":[{"id":0,"rules_loaded":7,"rules_failed":2,"rules_skipped":0}],"return":"OK"}"#])
        let statistics = try SuricataControl(settings(fake.path)).statistics()
        #expect(statistics.loaded == 7 && statistics.failed == 2)
    }

    @Test func `a reload in progress is waited for`() throws {
        let fake = FakeSuricata([ok, busy, busy, done, #"{"message":"7.0.10 RELEASE","return":"OK"}"#])
        let control = try SuricataControl(settings(fake.path))
        try control.reload()
        // The retries used up both refusals and the word that it is done.
        #expect(try control.version() == "7.0.10 RELEASE")
    }

    @Test func `a reload in progress without end is a timeout`() throws {
        let fake = FakeSuricata([ok] + [String](repeating: busy, count: 5000))
        let control = try SuricataControl(settings(fake.path, timeout: 0.3))
        let error = #expect(throws: EpitopeError.self) { try control.reload() }
        #expect(error?.code == .suricataTimeout)
    }

    @Test func `silence is a timeout`() {
        let fake = FakeSuricata([])
        let error = #expect(throws: EpitopeError.self) { try SuricataControl(settings(fake.path, timeout: 0.2)) }
        #expect(error?.code == .suricataTimeout)
    }

    @Test func `a refusal comes with its reason`() throws {
        let fake = FakeSuricata([ok, #"{"message":"Unknown command","return":"NOK"}"#, "not JSON"])
        let control = try SuricataControl(settings(fake.path))
        let refusal = #expect(throws: EpitopeError.self) { try control.statistics() }
        #expect(refusal?.code == .suricataRefused && refusal?.message.contains("Unknown command") == true)
        let nonsense = #expect(throws: EpitopeError.self) { try control.statistics() }
        #expect(nonsense?.code == .suricataRefused)
    }

    @Test func `no socket is an absent Suricata`() {
        let error = #expect(throws: EpitopeError.self) { try SuricataControl(settings("/nonexistent/s.sock")) }
        #expect(error?.code == .suricataAbsent)
    }

    @Test func `no program is an absent Suricata`() async {
        var settings = settings("/nonexistent/s.sock")
        settings.binaryPath = "/nonexistent/suricata"
        let delivery = SuricataDelivery(settings)
        let error = await #expect(throws: EpitopeError.self) { try await delivery.prepare() }
        #expect(error?.code == .suricataAbsent)
    }
}

@Suite struct RulesFileWriting {
    @Test func `a folder that is not there is unwritable`() {
        let error = #expect(throws: EpitopeError.self) { try RulesFile(path: "/nonexistent/epitope.rules").write("x") }
        #expect(error?.code == .rulesFolderUnwritable)
    }

    /// Root may write anywhere, except where the kernel takes no files.
    @Test func `a folder that takes no files is unwritable`() {
        let error = #expect(throws: EpitopeError.self) { try RulesFile(path: "/proc/epitope.rules").write("x") }
        #expect(error?.code == .rulesFolderUnwritable)
    }

    @Test func `a full disk keeps the old rules`() throws {
        let folder = "/tmp/epitope-full-\(UUID().uuidString.prefix(8))"
        mkdir(folder, 0o700)
        try #require(mount("tmpfs", folder, "tmpfs", 0, "size=16k") == 0, "a small file system can only be mounted by root")
        defer {
            umount2(folder, Int32(MNT_DETACH))
            rmdir(folder)
        }
        let file = RulesFile(path: "\(folder)/epitope.rules")
        try file.write("old")
        let error = #expect(throws: EpitopeError.self) { try file.write(String(repeating: "x", count: 100_000)) }
        #expect(error?.code == .diskFull)
        #expect(file.read() == "old")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["epitope.rules"])
    }
}
