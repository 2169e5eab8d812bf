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

struct SuricataControlTests {
    private func settings(_ path: String, timeout: Double = 5) -> SuricataSettings {
        SuricataSettings(socketPath: path, rulesFile: "/nonexistent/epitope.rules", commandTimeout: timeout, reloadTimeout: timeout)
    }

    @Test func `An answer in pieces is read whole`() throws {
        let fake = FakeSuricata([ok, #"{"message":[{"id":0,"rules_loaded":7,"rules_failed":2,"rules_skipped":0}],"return":"OK"}"#])
        let statistics = try SuricataControl(settings(fake.path)).statistics()
        #expect(statistics.loaded == 7 && statistics.failed == 2)
    }

    @Test func `A reload in progress is waited for`() throws {
        let fake = FakeSuricata([ok, busy, busy, done, #"{"message":"7.0.10 RELEASE","return":"OK"}"#])
        let control = try SuricataControl(settings(fake.path))
        try control.reload()
        // The retries used up both refusals and the answer that the reload is done.
        #expect(try control.version() == "7.0.10 RELEASE")
    }

    @Test func `A reload in progress without end is a timeout`() throws {
        let fake = FakeSuricata([ok] + [String](repeating: busy, count: 5000))
        let control = try SuricataControl(settings(fake.path, timeout: 0.3))
        let error = #expect(throws: EpitopeError.self) { try control.reload() }
        #expect(error?.code == .suricataTimeout)
    }

    @Test func `A Suricata that does not answer is a timeout`() {
        let fake = FakeSuricata([])
        let error = #expect(throws: EpitopeError.self) { try SuricataControl(settings(fake.path, timeout: 0.2)) }
        #expect(error?.code == .suricataTimeout)
    }

    @Test func `A refusal has Suricata's reason`() throws {
        let fake = FakeSuricata([ok, #"{"message":"Unknown command","return":"NOK"}"#, "not JSON"])
        let control = try SuricataControl(settings(fake.path))
        let refusal = #expect(throws: EpitopeError.self) { try control.statistics() }
        #expect(refusal?.code == .suricataRefused && refusal?.message.contains("Unknown command") == true)
        let nonsense = #expect(throws: EpitopeError.self) { try control.statistics() }
        #expect(nonsense?.code == .suricataRefused)
    }

    /// The texts that Suricata 7.0.10 answers with, as its command socket sent them.
    @Test func `A Suricata with its rules on the command line cannot reload`() throws {
        let fake = FakeSuricata([
            ok, #"{"message":"Live rule reload not possible if -s or -S option used at runtime.","return":"NOK"}"#,
        ])
        let control = try SuricataControl(settings(fake.path))
        let error = #expect(throws: EpitopeError.self) { try control.reload() }
        #expect(error?.code == .suricataReloadRefused)
    }

    @Test func `A variable that Suricata does not know has no value`() throws {
        let fake = FakeSuricata([ok, #"{"message":"Unable to get value","return":"NOK"}"#])
        #expect(try SuricataControl(settings(fake.path)).configuration("rule-files.9") == nil)
    }

    /// Printed by `suricata -T` 7.0.10 for a rule with a keyword that does not exist.
    @Test func `The complaint of a rules test is its first error`() {
        let output = """
            Notice: suricata: This is Suricata version 7.0.10 RELEASE running in SYSTEM mode
            Info: suricata: Running suricata under test mode
            Error: detect-parse: unknown rule keyword 'cont'.
            Error: detect: error parsing signature "alert udp any any -> any any (cont:"|AA|"; sid:1;)" from file r.rules at line 1
            Error: suricata: Loading signatures failed.
            """
        #expect(RulesetTest.complaint(in: output) == "detect-parse: unknown rule keyword 'cont'.")
        #expect(RulesetTest.complaint(in: "Notice: suricata: Configuration provided was successfully loaded. Exiting.") == nil)
    }

    @Test func `A missing socket is an absent Suricata`() {
        let error = #expect(throws: EpitopeError.self) { try SuricataControl(settings("/nonexistent/s.sock")) }
        #expect(error?.code == .suricataAbsent)
    }

    @Test func `A missing program is an absent Suricata`() async {
        var settings = settings("/nonexistent/s.sock")
        settings.binaryPath = "/nonexistent/suricata"
        let delivery = SuricataDelivery(settings)
        let error = await #expect(throws: EpitopeError.self) { try await delivery.prepare() }
        #expect(error?.code == .suricataAbsent)
    }
}

struct RulesFileTests {
    @Test func `A folder that does not exist is unwritable`() {
        let error = #expect(throws: EpitopeError.self) { try RulesFile(path: "/nonexistent/epitope.rules").write("x") }
        #expect(error?.code == .rulesFolderUnwritable)
    }

    /// Root may write anywhere, except where the kernel takes no files.
    @Test func `A folder that takes no files is unwritable`() {
        let error = #expect(throws: EpitopeError.self) { try RulesFile(path: "/proc/epitope.rules").write("x") }
        #expect(error?.code == .rulesFolderUnwritable)
    }

    @Test func `A full disk keeps the old rules`() throws {
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
