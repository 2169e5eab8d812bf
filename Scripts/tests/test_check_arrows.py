# SPDX-License-Identifier: Apache-2.0
"""Small made-up packages, each of which breaks one rule of Scripts/check-arrows, are refused.

run with: python3 -B -m unittest discover -s Scripts/tests
"""
import importlib.machinery
import importlib.util
import pathlib
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def load(name):
    """A script of Scripts as a module: it has no .py in its name."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "Scripts" / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    loaded = importlib.util.module_from_spec(spec)
    loader.exec_module(loaded)
    return loaded


check_arrows = load("check-arrows")


class Made:
    """A package in a folder of its own, and what SwiftPM would say that it declares."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.targets = []
        self.pure = []
        self.add("Sources/Model/Values", pure=True)

    def add(self, path, uses=(), products=(), kind="regular", pure=False, code=None, name=None):
        """Declares a target that imports what it declares, unless `code` says otherwise."""
        name = name or path.split("/")[-1]
        programs = {t["name"] for t in self.targets if t["type"] == "executable"}
        if code is None:
            code = "".join(f"import {used.replace('-', '_')}\n" for used in [*uses, *products] if used not in programs)
        (self.root / path).mkdir(parents=True)
        (self.root / path / "Code.swift").write_text(code)
        declared = [{"byName": [used, None]} for used in uses] + [{"product": [used, "a-package", None, None]} for used in products]
        self.targets.append({"name": name, "type": kind, "path": path, "dependencies": declared})
        if pure:
            self.pure.append(name)

    def problems(self):
        """What the check says of it."""
        (self.root / "Package.swift").write_text("".join(f'    pure("{name}"),\n' for name in self.pure))
        return check_arrows.check(self.root, {"targets": self.targets})[0]


class CheckArrows(unittest.TestCase):
    def setUp(self):
        self.made = Made()
        self.addCleanup(self.made.folder.cleanup)

    def expect(self, *parts):
        """Exactly one problem, whose text has all of the parts."""
        problems = self.made.problems()
        self.assertEqual(len(problems), 1, problems)
        for part in parts:
            self.assertIn(part, problems[0])

    def test_a_package_in_order_has_no_problem(self):
        self.made.add("Sources/C/CShim", kind="system", code="")
        self.made.add("Sources/Support/Files", uses=["Values", "CShim"], products=["Logging"])
        self.made.add("Sources/FrontEnds/front-end", uses=["Files"], kind="executable")
        self.made.add("Tests/Support/TestSupport", uses=["Values"])
        self.made.add("Tests/System/FilesTests", uses=["Files", "front-end", "TestSupport"], kind="test", code="import Files\nimport Testing\n")
        self.assertEqual(self.made.problems(), [])

    def test_a_dependency_declared_below_is_refused(self):
        self.made.add("Sources/Support/First", uses=["Second"])
        self.made.add("Sources/Support/Second")
        self.expect("First depends on Second, which is declared below it")

    def test_a_target_outside_of_a_group_is_refused(self):
        self.made.add("Sources/Loose")
        self.expect("Loose lies in Sources/Loose, not in Sources/GROUP/Loose")

    def test_a_target_in_an_unknown_group_is_refused(self):
        self.made.add("Sources/Helpers/Loose")
        self.expect("Loose lies in Sources/Helpers/Loose")

    def test_a_target_in_a_folder_of_another_name_is_refused(self):
        self.made.add("Sources/Support/Folder", name="Other")
        self.expect("Other lies in a folder of another name: Sources/Support/Folder")

    def test_an_arrow_against_the_order_of_groups_is_refused(self):
        self.made.add("Sources/Center/Store")
        self.made.add("Sources/Host/Agent", uses=["Store"])
        self.expect("Agent (Host) depends on Store, which is of a later group (Center)")

    def test_a_product_that_depends_on_a_test_target_is_refused(self):
        self.made.add("Tests/Support/Helpers")
        self.made.add("Sources/Host/Agent", uses=["Helpers"])
        self.expect("Agent (Host) depends on Helpers, which is no part of the product")

    def test_a_pure_module_that_depends_on_a_shell_is_refused(self):
        self.made.add("Sources/Support/Files")
        self.made.add("Sources/Host/Decisions", uses=["Files"], pure=True)
        self.expect("Decisions is pure and depends on Files, which is not")

    def test_a_pure_module_that_depends_on_a_package_with_effects_is_refused(self):
        self.made.add("Sources/Host/Decisions", products=["GRDB"], pure=True)
        self.expect("Decisions is pure and depends on the package product GRDB")

    def test_a_pure_module_that_imports_foundation_is_refused(self):
        self.made.add("Sources/Host/Decisions", pure=True, code="import Foundation\n")
        self.expect("Code.swift:1: Decisions is pure and imports Foundation")

    def test_a_pure_module_that_names_a_file_type_is_refused(self):
        self.made.add("Sources/Host/Decisions", pure=True, code="import FoundationEssentials\nlet files = FileManager.default\n")
        self.expect("Code.swift:2: Decisions is pure and uses FileManager")

    def test_words_in_comments_and_strings_are_no_problem(self):
        self.made.add("Sources/Host/Decisions", pure=True, code='// FileManager\nlet text = "FileManager"\n')
        self.assertEqual(self.made.problems(), [])

    def test_an_undeclared_import_is_refused(self):
        self.made.add("Sources/Support/Files", code="package import struct Values.Value\n")
        self.expect("Code.swift:1: Files imports Values and doesn't declare it")

    def test_a_dependency_that_is_not_imported_is_refused_in_every_kind_of_target(self):
        for path, kind in [("Sources/Support/Files", "regular"), ("Sources/FrontEnds/tool", "executable"), ("Tests/A/ATests", "test")]:
            with self.subTest(kind):
                self.made = Made()
                self.addCleanup(self.made.folder.cleanup)
                self.made.add(path, uses=["Values"], kind=kind, code="")
                self.expect("declares Values and doesn't import it")

    def test_a_package_product_that_is_not_imported_is_refused(self):
        self.made.add("Sources/Support/Files", products=["Logging"], code="")
        self.expect("Files declares Logging and doesn't import it")

    def test_an_import_of_a_front_end_is_refused(self):
        self.made.add("Sources/FrontEnds/front-end", kind="executable")
        self.made.add("Tests/System/FrontEndTests", uses=["front-end"], kind="test", code="@testable import front_end\n")
        self.expect("FrontEndTests imports front_end and doesn't declare it")

    def test_what_swiftpm_says_of_a_real_package_is_understood(self):
        (self.made.root / "Package.swift").write_text(
            "// swift-tools-version: 6.2\nimport PackageDescription\nlet package = Package(name: \"made\", targets: [\n"
            "    .target(name: \"Loose\"),\n    .target(name: \"Files\", dependencies: [\"Loose\"], path: \"Sources/Support/Files\"),\n])\n")
        for path in ["Sources/Loose", "Sources/Support/Files"]:
            (self.made.root / path).mkdir(parents=True)
            (self.made.root / path / "Code.swift").write_text("")
        problems, targets, _, files = check_arrows.check(self.made.root, check_arrows.dump(self.made.root))
        self.assertEqual((targets, files), (2, 2))
        for expected in ["Loose lies in Sources/Loose", "Files (Support) depends on Loose, which is no part", "Files declares Loose"]:
            self.assertTrue(any(expected in problem for problem in problems), problems)


if __name__ == "__main__":
    unittest.main()
