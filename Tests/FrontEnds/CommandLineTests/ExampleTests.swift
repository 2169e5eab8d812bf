// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import EpitopeModel
import Foundation
import GlobalCenter
import LocalCenter
import SettingsFiles
import SettingsYAML
import SuricataDelivery
import TestSupport
import Testing

/// Each file of `Examples` is taken by the program that it is for.
@Suite struct ExampleTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func example(_ name: String) throws -> String {
        try String(contentsOfFile: "\(PackageFolder.path)/Examples/\(name)", encoding: .utf8)
    }

    /// Puts an example into the test's folder, in which everything that it names is looked for, too.
    private func place(_ name: String) throws -> String {
        let text = try example(name).replacing("/var/lib/epitope-goodware", with: folder.path)
            .replacing("/var/lib/epitope", with: folder.path).replacing("/var/log/pcap", with: folder.path)
        let path = "\(folder.path)/\(name)"
        try Data(text.utf8).write(to: URL(filePath: path))
        chmod(path, 0o600)
        return path
    }

    private func epitope(_ arguments: String...) async throws -> Command {
        try await Command.run(Command.built("epitope"), arguments, seconds: 60)
    }

    @Test func `the policy is read and each of its exclusions is shown`() async throws {
        let path = try place("policy.json")
        let shown = try await epitope("policy", "show", "--policy", path)
        #expect(shown.status == 0, "\(shown.errors)")
        let reasons = try example("policy.json").matches(of: /"reason": "([^"]*)"/).map { String($0.1) }
        #expect(reasons.count >= 3)
        for reason in reasons { #expect(shown.output.contains(reason), "\(shown.output)") }
    }

    @Test(arguments: ["local-center.json", "global-center.json", "local-center.yaml", "global-center.yaml"])
    func `a center serves with its settings`(_ file: String) async throws {
        let kind = String(file.prefix { $0 != "." })
        let built = try await epitope("goodware", "build", "/usr/bin/env", "--output", "\(folder.path)/goodware.index")
        try #require(built.status == 0, "\(built.errors)")
        let state = "\(folder.path)/state"
        let made = try await epitope(kind, "init", "--state", state, "--name", "example", "--address", "127.0.0.1")
        try #require(made.status == 0, "\(made.errors)")
        let center = try RunningProcess([
            Command.built("epitope"), kind, "serve", "--state", state, "--config", try place(file), "--listen", "127.0.0.1:0",
        ])
        try await center.line(with: "listening on")
        #expect(try await center.end() == 0, "\(center.errors)")
    }

    /// A whole file of settings with every mark taken off its keys.
    private func uncommented(_ kind: String) throws -> String {
        try example("\(kind).yaml").replacing(/(?m)^#( *)([a-z][A-Za-z-]*:)/) { "\($0.1)\($0.2)" }
    }

    /// Without the store in PostgreSQL, which has no defaults that can be used.
    private func withoutStore(_ text: String) -> String { text.replacing(/(?m)^store:\n(?:#.*\n|  .*\n|\n)+/, with: "") }

    private func load<Settings: SettingsGroup>(_ type: Settings.Type, _ text: String) throws -> Settings {
        let read = try Settings.read(from: SettingsSource.node(of: Array(text.utf8), path: "example.yaml"))
        #expect(read.problems.isEmpty, "\(read.problems)")
        return read.settings
    }

    @Test func `every setting of a center is in its example, in a comment, at its default`() throws {
        var defaults = LocalCenterConfiguration()
        #expect(try load(LocalCenterConfiguration.self, example("local-center.yaml")) == defaults)
        defaults.suricata = SuricataSettings()
        #expect(try load(LocalCenterConfiguration.self, withoutStore(uncommented("local-center"))) == defaults)
        #expect(try load(GlobalCenterConfiguration.self, example("global-center.yaml")) == GlobalCenterConfiguration())
        #expect(try load(GlobalCenterConfiguration.self, withoutStore(uncommented("global-center"))) == GlobalCenterConfiguration())
    }

    @Test func `the settings in an example are those that a center knows and the reference explains`() throws {
        let reference = try String(contentsOfFile: "\(PackageFolder.path)/Documentation/Reference/Settings.md", encoding: .utf8)
        for (kind, settings, heading) in [
            ("local-center", LocalCenterConfiguration().list() + SuricataSettings().list() + StoreSettings().list(), "## Local center"),
            ("global-center", GlobalCenterConfiguration().list() + StoreSettings().list(), "## Global center"),
        ] {
            let shown = try uncommented(kind).matches(of: /(?m)^ *([a-z][A-Za-z-]*):/).map { String($0.1) }
            #expect(Set(shown) == Set(settings.flatMap { $0.name.split(separator: ".").map(String.init) }), "\(kind)")
            let chapter = try #require(reference.range(of: heading))
            let rest = reference[chapter.lowerBound...]
            let others = Set((SuricataSettings().list() + StoreSettings().list()).map(\.name)).union(["suricata", "store"])
            for setting in settings where !others.contains(setting.name) {
                let key = setting.name.split(separator: ".").last.map(String.init) ?? ""
                // Those of an object stand in a chapter of their own.
                let text = setting.name.contains(".") ? reference[...] : rest
                let row = text.split(separator: "\n").first { $0.hasPrefix("| `\(key)` |") }
                #expect(row?.hasSuffix(setting.isLive ? "| reload |" : "| start |") == true, "\(kind) \(setting.name): \(row ?? "")")
            }
        }
    }

    @Test func `each setting of a global center has its place in the operator's page`() throws {
        let page = try String(contentsOfFile: "\(PackageFolder.path)/Documentation/Operating/GlobalCenter.md", encoding: .utf8)
        for setting in GlobalCenterConfiguration().list() {
            let key = setting.name.split(separator: ".").first.map(String.init) ?? ""
            #expect(page.contains("`\(key)`"), "\(key)")
        }
    }

    @Test func `the seccomp profile is the one that the agent prints`() async throws {
        let printed = try await Command.run(Command.built("epitope-agent"), ["--print-seccomp-profile"])
        #expect(printed.status == 0, "\(printed.errors)")
        #expect(try printed.output == example("seccomp-profile.json"))
    }

    @Test func `the signature is found where its bytes are`() async throws {
        let signature = try place("signature.json")
        let pattern = try #require(example("signature.json").firstMatch(of: /"pattern": "([0-9a-f]+)"/))
        let bytes = try #require(Hex.decode(String(pattern.1)))
        let tree = try folder.makeFolder("tree")
        try Data([0x90, 0x90] + bytes).write(to: URL(filePath: "\(tree)/file"))
        let found = try await epitope("verify", signature, "--in", tree)
        #expect(found.status == 1 && found.output.contains("\(tree)/file"), "\(found.output)\(found.errors)")
    }

    @Test(.enabled(if: access("/usr/bin/suricata", X_OK) == 0, "Suricata is not installed: Scripts/install-dependencies test"))
    func `Suricata accepts the lines of its configuration`() async throws {
        let rules = "/etc/suricata/rules/epitope.rules"
        let lines = try example("suricata.yaml").replacing(rules, with: "\(folder.path)/epitope.rules")
            .replacing("/run/suricata-command.socket", with: "\(folder.path)/command.socket")
        try Data("alert ip any any -> any any (msg:\"one\"; sid:3900000;)\n".utf8).write(to: URL(filePath: "\(folder.path)/epitope.rules"))
        try Data("%YAML 1.1\n---\n\(lines)".utf8).write(to: URL(filePath: "\(folder.path)/suricata.yaml"))
        let tested = try await Command.run(
            "/usr/bin/suricata", ["-T", "-v", "-c", "\(folder.path)/suricata.yaml", "-l", folder.path], seconds: 60)
        let said = tested.output + tested.errors
        #expect(tested.status == 0 && said.contains("1 rules successfully loaded") && !said.contains("Warning"), "\(said)")
    }

    @Test(.enabled(if: access("/usr/sbin/rsyslogd", X_OK) == 0, "rsyslog is not installed: Scripts/install-dependencies test"))
    func `rsyslog forwards the events that somebody should see, also after the log was moved away`() async throws {
        let host = try folder.makeFolder("host")
        let action = try #require(try example("rsyslog.conf").firstMatch(of: /action\(type="omfwd"[^)]*\)/))
        let text = try example("rsyslog.conf")
            .replacing(action.0, with: "action(type=\"omfile\" file=\"\(folder.path)/received\")").replacing(
                "/var/lib/epitope", with: folder.path)
        let path = "\(folder.path)/rsyslog.conf"
        try Data("global(workDirectory=\"\(folder.path)\")\n\(text)".utf8).write(to: URL(filePath: path))
        // As it is written it is accepted, too, where rsyslog has its usual folder for state.
        let whole = "\(folder.path)/whole.conf"
        try Data("global(workDirectory=\"\(folder.path)\")\n\(example("rsyslog.conf"))".utf8).write(to: URL(filePath: whole))
        let checked = try await Command.run("/usr/sbin/rsyslogd", ["-N1", "-f", whole])
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")

        let log = "\(host)/events.jsonl"
        func write(_ lines: [String]) throws {
            if !FileManager.default.fileExists(atPath: log) { _ = FileManager.default.createFile(atPath: log, contents: nil) }
            let file = try FileHandle(forWritingTo: URL(filePath: log))
            try file.seekToEnd()
            try file.write(contentsOf: Data(lines.map { "{\"event\":\"\($0)\"}\n" }.joined().utf8))
            try file.close()
        }
        try write(["blocked", "sent"])
        let server = try RunningProcess(["/usr/sbin/rsyslogd", "-n", "-f", path, "-i", "\(folder.path)/pid"])
        func received() -> [String] {
            (try? folder.read("received"))?.matches(of: /epitope: \{"event":"([a-z-]+)"/).map { String($0.1) } ?? []
        }
        try await eventually("the first event at the server") { received() == ["blocked"] }
        try FileManager.default.moveItem(atPath: log, toPath: log + ".1")
        try write(["spooled", "packet-made", "stopped"])
        try await eventually("the later events at the server") { received() == ["blocked", "packet-made", "stopped"] }
        try await server.end()
    }
}
