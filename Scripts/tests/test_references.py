# SPDX-License-Identifier: Apache-2.0
"""What the generated references are read from: made-up sources and documents, and what must come out of them.

run with: python3 -B -m unittest discover -s Scripts/tests
"""
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "Scripts"))

from references import codes, commands, mentioned, modules, settings, swift_source  # noqa: E402


def load(name):
    """A script of Scripts as a module: it has no .py in its name."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "Scripts" / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    loaded = importlib.util.module_from_spec(spec)
    loader.exec_module(loaded)
    return loaded


class Made(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


class SwiftSource(unittest.TestCase):
    def test_values_become_names(self):
        self.assertEqual(swift_source.literal(r'"the file \(path) has \(bytes.count) bytes"'), "the file ‹path› has ‹bytes› bytes")

    def test_texts_that_are_put_together_are_one(self):
        self.assertEqual(swift_source.literal('"one, " \n    + "two"'), "one, two")

    def test_a_string_in_a_value_does_not_end_the_string(self):
        self.assertEqual(swift_source.arguments(r'f("a \(x ?? "b, c") d", second)', 1), [r'"a \(x ?? "b, c") d"', "second"])

    def test_what_is_no_literal_is_none(self):
        self.assertIsNone(swift_source.literal("error.message"))


class ErrorCodes(Made):
    def test_a_code_has_its_meaning_messages_and_remedies(self):
        self.write("Sources/Model/Values/Errors.swift", '''
extension EpitopeError.Code {
    /// It is gone.
    public static let fileGone = EpitopeError.Code("file-gone")
}
func f(_ path: String) -> EpitopeError {
    EpitopeError(
        .fileGone, "\\(path) is gone",
        remedy: "look for it")
}
enum Files {
    private static let remedy =
        "put it back"
    static func g() -> EpitopeError { EpitopeError(.fileGone, "it is gone", remedy: Self.remedy) }
}
''')
        code = codes.collect(self.root)["file-gone"]
        texts = [("‹path› is gone", "look for it"), ("it is gone", "put it back")]
        self.assertEqual((code.meaning, code.texts, code.modules), ("It is gone.", texts, {"Values"}))


class Settings(Made):
    def test_a_setting_has_its_meaning_values_and_default(self):
        self.write("Sources/Center/LocalCenter/Settings.swift", '''
public struct LocalCenterConfiguration: Codable {
    public enum Order: String, CaseIterable {
        /// First.
        case ids
        case forward
        var weight: Int {
            switch self {
            case .ids: 1
            case .forward: 2
            }
        }
    }
    /// How many, in days.
    public var keepDays = 30
    /// Which first.
    public var first = Order.ids
    enum CodingKeys: String, CodingKey, CaseIterable {
        case keepDays, first = "order"
    }
    func check() { for x in [("keepDays", keepDays, 1...36_500)] {} }
}
''')
        page, _ = settings.page(self.root)
        self.assertIn("| `keepDays` | How many, in days. | 1 to 36500 | `30` |", page)
        self.assertIn("| `order` | Which first. | `ids`, `forward` | `ids` |", page)

    def test_a_default_that_is_a_case_is_its_value_whatever_else_has_that_name(self):
        self.write("Sources/Host/Policy/Policy.swift", '''
public struct Policy: Codable {
    public enum Action: String, CaseIterable {
        case block
        case letGo = "let-go"
    }
    public init(action: Action = .block, other: Action = .letGo, limit: Int = Policy.maxCalls, odd: Int = Somewhere.unknown) {}
}
extension Policy {
    static let maxCalls = 7
}
struct PolicyDocument: Decodable {
    /// What is done.
    var action: Policy.Action?
    /// What else is done.
    var other: Policy.Action?
    /// How many.
    var limit: Int?
    /// What nobody knows.
    var odd: Int?
    enum CodingKeys: String, CodingKey, CaseIterable {
        case action, other, limit, odd
    }
}
''')
        self.write("Sources/Rules/Engine/Engine.swift", '''
enum Engine {
    static let block = "Engine:81"
    static let maxCalls = 99
}
''')
        page, problems = settings.page(self.root)
        self.assertIn("| `action` | What is done. | `block`, `let-go` | `block` |", page)
        self.assertIn("| `other` | What else is done. | `block`, `let-go` | `let-go` |", page)
        self.assertIn("| `limit` | How many. | a number | `7` |", page)
        self.assertIn("what the default of 'odd' is does not show from 'Somewhere.unknown'", problems)


class Mentioned(Made):
    def test_a_word_that_is_only_mentioned_is_not_explained(self):
        page = "# Events\nAfter `sent` comes `kept`.\n\n| step | meaning |\n| --- | --- |\n| `made`, `sent` | it is |\n\n# Else\n\n| `kept` | no |\n"
        self.assertEqual(mentioned.explained(page, "Events"), {"made", "sent"})
        self.assertEqual(mentioned.explained(page, None), {"made", "sent", "kept"})
        self.assertEqual(mentioned.explained(page, "Gone"), set())


class Modules(Made):
    def test_a_table_follows_the_package_and_keeps_what_a_module_does(self):
        self.write("Package.swift", 'pure("Values")')
        self.write("ARCHITECTURE.md", "<!-- modules: Sources/Model -->\n\n| old | head |\n| --- | --- |\n| `Values` | holds values | x |\n")
        declared = {"targets": [
            {"name": "Values", "path": "Sources/Model/Values", "dependencies": []},
            {"name": "Fresh", "path": "Sources/Model/Fresh", "dependencies": [{"byName": ["Values", None]}]}]}
        original, modules.package = modules.package, lambda root: declared
        self.addCleanup(setattr, modules, "package", original)
        page, problems = modules.page(self.root)
        self.assertIn("| `Values` (pure) | holds values | nothing |\n| `Fresh` |  | Values |\n", page)
        self.assertEqual(problems, ["say what the module Fresh does in its row"])


class CommandLine(Made):
    def test_commands_stand_in_the_order_of_their_help(self):
        help_folder = "Tests/FrontEnds/CommandLineTests/Help"
        self.write(f"{help_folder}/tool.txt", "USAGE: tool\n\nSUBCOMMANDS:\n  run                     Run.\n  ask                     Ask.\n")
        self.write(f"{help_folder}/tool ask.txt", "USAGE: tool ask\n")
        self.write(f"{help_folder}/tool run.txt", "USAGE: tool run\n")
        self.write(f"{help_folder}/tool gone.txt", "USAGE: tool gone\n")
        page, problems = commands.page(self.root)
        self.assertLess(page.index("## tool run"), page.index("## tool ask"))
        self.assertEqual(problems, ["the help of 'tool gone' is recorded, and no other command lists it"])


class Links(Made):
    def offences(self, text):
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)
        self.write("page.md", text)
        check_links = load("check-links")
        return [what for _, what in check_links.offences(self.root.resolve(), (self.root / "page.md").resolve())]

    def test_a_link_that_leads_nowhere_is_refused(self):
        self.assertEqual(self.offences("[a](b.md)"), ["there is no b.md"])

    def test_a_heading_that_is_not_there_is_refused(self):
        self.assertEqual(self.offences("# One two\n[a](#one-two) [b](#three)"), ["page.md has no heading #three"])

    def test_links_in_code_do_not_count(self):
        self.assertEqual(self.offences("`[a](b.md)`\n\n    [a](b.md)\n\n```\n[a](b.md)\n```\n"), [])


if __name__ == "__main__":
    unittest.main()
