// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import SettingsFiles
import SettingsYAML
import TestSupport
import Testing

private struct Engine: Hashable, Sendable, SettingsGroup {
    enum Action: String, Codable, CaseIterable { case alert, drop }

    var action = Action.alert
    var socket = "/run/default"

    mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try visitor.setting("action", &action)
        try visitor.setting("socket", &socket)
    }

    var faults: [SettingFault] {
        socket.hasPrefix("/")
            ? [] : [SettingFault("socket", EpitopeError(.configurationInvalid, "'\(socket)' is no path", remedy: "begin with /"))]
    }
}

private struct Sample: Hashable, Sendable, SettingsGroup {
    var days = 30
    var share = 0.5
    var isOn = true
    var name: String?
    var paths: [String] = []
    var engine: Engine?

    static let liveKeys: Set<String> = ["days", "name"]

    mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try visitor.setting("days", &days, in: 1...100)
        try visitor.setting("share", &share, in: 0...0.8)
        try visitor.setting("isOn", &isOn)
        try visitor.setting("name", &name)
        try visitor.setting("paths", &paths)
        try visitor.setting("engine", &engine)
    }
}

@Suite("Settings are read from a file and a folder beside it, with every problem's place and remedy")
struct SettingsReadingTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ text: String, _ name: String = "s.yaml") throws {
        let path = "\(folder.path)/\(name)"
        try FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    private func load(_ further: String? = nil) -> LoadedSettings<Sample> {
        LoadedSettings(from: SettingsSource(file: "\(folder.path)/s.yaml", folder: further.map { "\(folder.path)/\($0)" }))
    }

    /// Each problem without the folder's name, as "LINE:COLUMN message / remedy".
    private func problems(_ loaded: LoadedSettings<Sample>) -> [String] {
        loaded.problems.map { problem in
            let place = problem.place.map { "\($0.line):\($0.column) " } ?? ""
            return (place + problem.error.message + " / " + problem.error.remedy).replacing(folder.path + "/", with: "")
        }
    }

    @Test func `every value is read`() throws {
        try write("days: 7\nshare: 0.25\nisOn: false\nname: web\npaths:\n- /a\n- /b\nengine:\n  action: drop\n")
        let loaded = load()
        #expect(problems(loaded).isEmpty)
        var expected = Sample()
        expected.days = 7
        expected.share = 0.25
        expected.isOn = false
        expected.name = "web"
        expected.paths = ["/a", "/b"]
        expected.engine = Engine(action: .drop)
        #expect(loaded.settings == expected)
    }

    @Test(arguments: [
        ("dayz: 1\n", "1:1 the setting 'dayz' is not known; did you mean 'days'? / use: days, engine, isOn, name, paths, share"),
        ("engine:\n  sockett: x\n", "2:3 the setting 'engine.sockett' is not known; did you mean 'socket'? / use: action, socket"),
        ("\ndays: 0\n", "2:1 the setting 'days' is 0 / set it to 1 to 100"),
        ("days: 101\n", "1:1 the setting 'days' is 101 / set it to 1 to 100"),
        ("share: 0.9\n", "1:1 the setting 'share' is 0.9 / set it to 0 to 0.8"),
        ("days: many\n", "1:1 the setting 'days' is the text 'many', and not a whole number / set it to 1 to 100, without quotes"),
        ("days: 1.5\n", "1:1 the setting 'days' is the number 1.5, and not a whole number / set it to 1 to 100, without quotes"),
        ("days: \"7\"\n", "1:1 the setting 'days' is the text '7', and not a whole number / set it to 1 to 100, without quotes"),
        ("isOn: yes\n", "1:1 the setting 'isOn' is the text 'yes', and not true or false / set it to true or false, without quotes"),
        ("name: 12\n", "1:1 the setting 'name' is the number 12, and not a text / put it in quotes: \"12\""),
        ("paths: /a\n", "1:1 the setting 'paths' is the text '/a', and not a list / put it in brackets, also a single one: [\"/a/path\"]"),
        ("paths: [/a, 1]\n", "1:13 the setting 'paths[1]' is the number 1, and not a text / put it in quotes: \"1\""),
        (
            "engine: drop\n",
            "1:1 the setting 'engine' is the text 'drop', and not an object with keys of its own / give its keys with their values, or leave it out"
        ),
        (
            "engine:\n  action: dorp\n",
            "2:3 the setting 'engine.action' is 'dorp', which is not one of its values; did you mean 'drop'? / use one of: alert, drop"
        ),
        ("engine:\n  socket: run\n", "2:3 'run' is no path / begin with /"),
        ("- 1\n", "1:1 the settings are no keys with values / write KEY: VALUE lines, or an object of JSON"),
    ])
    func `a fault has its place and its remedy`(_ text: String, _ says: String) throws {
        try write(text)
        #expect(problems(load()) == [says])
        #expect(load().problems.map(\.located.code) == [.configurationInvalid])
    }

    @Test func `all faults are found at once, and the first is the error`() throws {
        try write("days: 0\nnmae: x\nengine:\n  action: no\n")
        #expect(load().problems.count == 3)
        let error = #expect(throws: EpitopeError.self) {
            try LoadedSettings<Sample>.required(from: SettingsSource(file: "\(folder.path)/s.yaml"))
        }
        #expect(error?.message.hasPrefix("in \(folder.path)/s.yaml, line 1, column 1: ") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("there are 2 other problems") == true, "\(error?.message ?? "")")
    }

    @Test func `files of the folder are read after it by their names, and each value knows its file`() throws {
        try write("days: 1\nname: first\npaths: [/a, /b]\nengine:\n  action: drop\n")
        try write("days: 2\nengine:\n  socket: /run/two\n", "s.yaml.d/20-b.yaml")
        try write("{\"days\": 3, \"name\": \"third\"}", "s.yaml.d/30-c.json")
        try write("days: 4\npaths: [/c]\nname:\n", "s.yaml.d/9-last.yml")
        try write("days: 99\nwrong wrong", "s.yaml.d/10-not.yaml.bak")
        try write("days: 99\n", "s.yaml.d/.hidden.yaml")
        let loaded = load()
        #expect(problems(loaded).isEmpty)
        #expect(loaded.contents.files.map { ($0 as NSString).lastPathComponent } == ["s.yaml", "20-b.yaml", "30-c.json", "9-last.yml"])
        #expect(loaded.settings.days == 4)
        #expect(loaded.settings.name == nil, "a key without a value goes back to the default")
        #expect(loaded.settings.paths == ["/c"], "a list is replaced")
        #expect(loaded.settings.engine == Engine(action: .drop, socket: "/run/two"), "an object is merged")
        let places = loaded.list.map { setting in
            "\(setting.name) \(setting.value ?? "-") \(setting.place.map { "\(($0.file as NSString).lastPathComponent):\($0.line)" } ?? "default")"
        }
        #expect(
            places == [
                "days 4 9-last.yml:1", "share 0.5 default", "isOn true default", "name - default", "paths [\"/c\"] 9-last.yml:2",
                "engine.action \"drop\" s.yaml:5", "engine.socket \"/run/two\" 20-b.yaml:3",
            ])
    }

    @Test func `a fault in a file of the folder is told with that file, and hides no other's`() throws {
        try write("days: 0\n")
        try write("share: 5\n", "s.yaml.d/a.yaml")
        try write("x: [\n", "s.yaml.d/b.yaml")
        let files = load().problems.map { $0.located.message.replacing(folder.path + "/", with: "") }
        #expect(files.count == 3)
        #expect(files.contains { $0.hasPrefix("in s.yaml, line 1") } && files.contains { $0.hasPrefix("in s.yaml.d/a.yaml, line 1") })
        #expect(files.contains { $0.hasPrefix("the settings file s.yaml.d/b.yaml can't be used: it isn't YAML: line ") })
    }

    @Test func `a folder that is named is used in place of the one beside the file, and has to be there`() throws {
        try write("days: 1\n")
        try write("days: 2\n", "s.yaml.d/a.yaml")
        try write("days: 3\n", "other/a.yaml")
        #expect(load("other").settings.days == 3)
        #expect(load("none").problems.map(\.error.code) == [.configurationMissing])
    }

    @Test func `a file that is missing, a folder, or too large is refused`() throws {
        #expect(load().problems.map(\.error.code) == [.configurationMissing])
        try write("", "s.yaml/x")
        #expect(load().problems.map(\.error.code) == [.configurationMissing])
        try FileManager.default.removeItem(atPath: "\(folder.path)/s.yaml")
        try write(String(repeating: "#\n", count: SettingsSource.maxBytes / 2 + 1))
        #expect(problems(load()).first?.hasPrefix("the settings file s.yaml is larger than 1 MiB") == true)
    }

    @Test func `only live settings are taken over from others`() {
        var new = Sample()
        new.days = 5
        new.name = "new"
        new.share = 0.1
        new.engine = Engine()
        var expected = Sample()
        expected.days = 5
        expected.name = "new"
        #expect(Sample().takingLive(from: new) == expected)
        #expect(expected.takingLive(from: Sample()) == Sample(), "also back to nothing")
    }

    @Test(arguments: [("dyas", "days"), ("SHARE", "share"), ("nme", "name"), ("zzz", nil), ("d", nil)])
    func `a word that is nearly another one is taken for a slip`(_ typed: String, _ meant: String?) {
        #expect(SimilarWord.similar(to: typed, among: ["days", "share", "name"]) == meant)
    }
}
