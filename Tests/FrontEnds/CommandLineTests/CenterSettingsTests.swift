// SPDX-License-Identifier: Apache-2.0

import Foundation
import HostFrontEnd
import Logging
import TestSupport
import Testing

/// `check`, and the reload of a center that serves.
@Suite struct CenterSettingsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var settings: String { "\(folder.path)/settings.yaml" }
    private var state: String { "\(folder.path)/state" }

    private func epitope(_ arguments: [String]) async throws -> Command {
        try await Command.run(Command.built("epitope"), arguments, seconds: 60)
    }

    private func write(_ text: String, _ path: String? = nil) throws {
        let path = path ?? settings
        try FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    private func make(_ kind: String) async throws {
        let made = try await epitope([kind, "init", "--state", state, "--name", "example", "--address", "127.0.0.1"])
        try #require(made.status == 0, "\(made.errors)")
    }

    private func check(_ kind: String, _ more: String...) async throws -> Command {
        try await epitope([kind, "check", "--state", state, "--config", settings, "--listen", "127.0.0.1:0"] + more)
    }

    private struct Report: Decodable {
        struct Setting: Decodable {
            var name: String
            var file: String?
            var line: Int?
            var applies: String
        }
        struct Finding: Decodable {
            var severity: String
            var code: String
            var message: String
            var remedy: String
        }

        var files: [String]
        var settings: [Setting]
        var findings: [Finding]
        var problems: Int

        func codes(_ severity: String) -> [String] { findings.filter { $0.severity == severity }.map(\.code).sorted() }
    }

    private func report(_ kind: String, _ more: String..., status: Int32) async throws -> Report {
        let checked = try await epitope([kind, "check", "--state", state, "--config", settings, "--json"] + more)
        #expect(checked.status == status, "\(checked.output)\(checked.errors)")
        return try JSONDecoder().decode(Report.self, from: Data(checked.output.utf8))
    }

    @Test(arguments: ["local-center", "global-center"])
    func `where nothing is wrong, check says so, and where each setting is from`(_ kind: String) async throws {
        try await make(kind)
        try write("requireGoodware: false\nkeepDays: 7\n")
        try write("keepDays: 8\n", "\(settings).d/10-site.yaml")
        let checked = try await check(kind)
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
        #expect(checked.output.contains(/keepDays +10-site.yaml line 1 +8/), "\(checked.output)")
        #expect(checked.output.contains("settings.yaml line 1") && checked.output.hasSuffix("nothing is wrong\n"), "\(checked.output)")
        let report = try await report(kind, "--listen", "127.0.0.1:0", status: 0)
        #expect(report.files == [settings, "\(settings).d/10-site.yaml"] && report.findings.isEmpty)
        let keep = try #require(report.settings.first { $0.name == "keepDays" })
        #expect(keep.file == "\(settings).d/10-site.yaml" && keep.line == 1 && keep.applies == "reload")
        #expect(report.settings.first { $0.name == "goodware" }?.applies == "start")
        #expect(!FileManager.default.fileExists(atPath: "\(state)/key.socket"), "nothing was started")
    }

    @Test func `every problem is found at once, each with its code and what to do`() async throws {
        try await make("local-center")
        try write(
            """
            keepDays: 0
            kepDays: 3
            goodware: \(folder.path)/none.index
            captures: ["\(folder.path)/none*.pcap"]
            globalCenterState: \(folder.path)/none
            suricata:
              socket: \(folder.path)/none.socket
              rulesFile: \(folder.path)/none/epitope.rules
              binaryPath: \(folder.path)/no-suricata
            """)
        // A port that is taken, and a store that is gone.
        for name in try FileManager.default.contentsOfDirectory(atPath: state) where name.hasPrefix("center.sqlite") {
            try FileManager.default.removeItem(atPath: "\(state)/\(name)")
        }
        let taken = try LoopbackSocket()
        let report = try await report("local-center", "--listen", "127.0.0.1:\(taken.port)", status: 1)
        withExtendedLifetime(taken) {}
        let codes = report.codes("problem")
        #expect(codes.count { $0 == "configuration-invalid" } == 2, "\(report)")
        for code in ["goodware-missing", "identity-missing", "listening-failed", "suricata-absent", "rules-folder-unwritable"] {
            #expect(codes.contains(code), "\(code): \(report)")
        }
        #expect(report.codes("warning") == ["capture-unreadable", "store-unusable"], "\(report)")
        #expect(report.problems == codes.count && report.findings.allSatisfy { !$0.remedy.isEmpty })
        let misspelt = try #require(report.findings.first { $0.message.contains("kepDays") })
        #expect(misspelt.message.hasPrefix("in \(settings), line 2, column 1: ") && misspelt.message.contains("did you mean 'keepDays'?"))
        #expect(!FileManager.default.fileExists(atPath: "\(state)/center.sqlite"), "nothing was made")
        let printed = try await check("local-center")
        #expect(printed.status == 1 && printed.output.contains("problem: in \(settings), line 1, column 1: the setting 'keepDays' is 0"))
    }

    @Test(arguments: [
        "host=db1 user=epitope password=hunter2", "host=db1 Password = 'hunter2'", "postgresql://epitope:hunter2@db1/epitope",
        "postgresql://db1/epitope?user=epitope&password=hunter2",
    ]) func `a password in the wrong place is refused, and not repeated`(_ connection: String) async throws {
        try await make("local-center")
        try write("requireGoodware: false\nstore:\n  postgresql: \"\(connection)\"\n")
        for more in [[], ["--json"]] {
            let checked = try await epitope(
                ["local-center", "check", "--state", state, "--config", settings, "--listen", "127.0.0.1:0"] + more)
            #expect(checked.status == 1 && checked.output.contains("has a password in it"), "\(checked.output)\(checked.errors)")
            #expect(!(checked.output + checked.errors).contains("hunter2"), "\(checked.output)\(checked.errors)")
        }
    }

    @Test func `a file that somebody else may read alone is not repeated through a link to it`() async throws {
        try await make("local-center")
        try write("requireGoodware: false\n")
        try write("root:$y$j9T$salt$digest:19000:0:99999:7:::\n", "\(folder.path)/private")
        try FileManager.default.createDirectory(atPath: "\(settings).d", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: "\(settings).d/a.yaml", withDestinationPath: "\(folder.path)/private")
        let checked = try await check("local-center")
        #expect(checked.status == 1 && checked.output.contains("a.yaml, line 1, column 1"), "\(checked.output)\(checked.errors)")
        #expect(!(checked.output + checked.errors).contains("digest"), "\(checked.output)\(checked.errors)")
    }

    @Test func `addresses that hosts are told are compared with the certificate`() async throws {
        try await make("local-center")
        for (centers, warnings) in [
            ("https://192.0.2.1:7443, https://192.0.2.2:7443", ["name-not-certified"]),
            ("https://192.0.2.1:7443, https://127.0.0.1:7443", []),
        ] {
            try write("requireGoodware: false\ncenters: [\(centers)]\n")
            #expect(try await report("local-center", "--listen", "127.0.0.1:0", status: 0).codes("warning") == warnings)
        }
    }

    @Test func `settings that others can change are warned of`() async throws {
        try await make("local-center")
        try write("requireGoodware: false\n")
        try write("keepDays: 8\n", "\(settings).d/10-site.yaml")
        for path in ["\(settings).d", "\(settings).d/10-site.yaml"] {
            try FileManager.default.setAttributes([.posixPermissions: 0o775], ofItemAtPath: path)
            #expect(try await report("local-center", "--listen", "127.0.0.1:0", status: 0).codes("warning") == ["settings-writable"])
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
        #expect(try await report("local-center", "--listen", "127.0.0.1:0", status: 0).codes("warning").isEmpty)
    }

    @Test func `a folder that is no center's, or of the other kind, is a problem`() async throws {
        try write("requireGoodware: false\n")
        #expect(try await report("local-center", "--listen", "127.0.0.1:0", status: 1).codes("problem") == ["authority-missing"])
        try await make("global-center")
        #expect(try await report("local-center", "--listen", "127.0.0.1:0", status: 1).codes("problem") == ["state-of-another-kind"])
    }

    @Test(arguments: ["local-center", "global-center"])
    func `a reload takes over what it can, names what needs a restart, and refuses the rest`(_ kind: String) async throws {
        try await make(kind)
        try write("requireGoodware: false\nupdatesADay: 3\nkeepDays: 30\n")
        let metrics = "\(folder.path)/metrics.socket"
        let center = try RunningProcess([
            Command.built("epitope"), kind, "serve", "--state", state, "--config", settings, "--listen", "127.0.0.1:0", "--metrics",
            metrics,
        ])
        try await center.line(with: "listening on")
        func ready() async throws -> String {
            try await Command.run("/usr/bin/curl", ["-s", "-m", "20", "--unix-socket", metrics, "http://center/ready"]).output
        }
        func quota() async throws -> String { try await epitope([kind, "status", "--state", state]).output }
        let name = kind == "local-center" ? "updates" : "publications"
        try await eventually("the quota is known") { try await quota().contains("\(name) 3 of 3 left") }

        // What is live is taken over, what isn't is named.
        try write("requireGoodware: false\nupdatesADay: 7\nkeepDays: 30\nlogFormat: json\n")
        center.send(SIGHUP)
        try await eventually("it was reloaded") { center.errors.contains("the settings were reloaded: updatesADay from 3 to 7") }
        #expect(center.errors.contains("these settings need a restart: logFormat from \"text\" to \"json\""), "\(center.errors)")
        try await eventually("the quota is another") { try await quota().contains("\(name) 7 of 7 left") }

        // What is refused changes nothing, and says so.
        try write("requireGoodware: false\nupdatesADay: 9\nkeepDays: 0\n")
        center.send(SIGHUP)
        try await eventually("it was refused") {
            center.errors.contains(
                "the settings were not reloaded, the previous ones stay in force: in \(settings), line 3, column 1: the setting 'keepDays' is 0"
            )
        }
        #expect(try await quota().contains("\(name) 7 of 7 left"))
        try await eventually("readiness says so") {
            try await ready().contains(#"{"cause":"configuration-invalid","code":"settings-refused"}"#)
        }

        // Mended, it is taken over, from a file beside it, too.
        try write("requireGoodware: false\nupdatesADay: 9\n")
        try write("updatesADay: 11\n", "\(settings).d/more.yaml")
        center.send(SIGHUP)
        try await eventually("it was reloaded again") { center.errors.contains("updatesADay from 7 to 11") }
        try await eventually("readiness is as before") { try await !ready().contains("settings-refused") }
        #expect(try await quota().contains("\(name) 11 of 11 left"))
        #expect(try await center.end() == 0, "\(center.errors)")
    }

    @Test func `a center without settings says that there is nothing to read again, and goes on`() async throws {
        try await make("local-center")
        let center = try RunningProcess([
            Command.built("epitope"), "local-center", "serve", "--state", state, "--listen", "127.0.0.1:0",
        ])
        try await center.line(with: "listening on")
        center.send(SIGHUP)
        try await eventually("it says so") { center.errors.contains("there are no settings to read again") }
        #expect(try await center.end() == 0, "\(center.errors)")
    }

    @Test func `a line of the log has its time as everything else has, in UTC`() {
        let line = PrintableLogHandler.line(
            milliseconds: 1_700_000_000_250, level: .notice, label: "local-center", text: "one\ntwo\u{1B}[31m", metadata: [("a", "1")])
        #expect(line == "2023-11-14T22:13:20.250Z notice local-center: one\n  two\\u{1b}[31m a=1" || line.contains("\n  two"), "\(line)")
        #expect(line.hasPrefix("2023-11-14T22:13:20.250Z notice local-center: one\n") && !line.unicodeScalars.contains("\u{1B}"))
    }
}
