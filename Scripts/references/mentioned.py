# SPDX-License-Identifier: Apache-2.0
"""What a page has to say of the sources: words that a person meets in output, and the functions that the walkthrough names."""
import re

from . import settings

# The enumeration of strings, and the page that has each of its values in code letters.
ENUMERATIONS = [
    ("EvidenceKind", "Documentation/Design.md"),
    ("HostEvent.Name", "Documentation/Operating/Host.md"),
    ("CenterEvent.Step", "Documentation/Operating/Center.md"),
    ("Policy.Action", "Documentation/Operating/Policy.md"),
    ("ProtectionLevel", "Documentation/Operating/Agent.md"),
]
# The same for values that are constants: how one is declared.
CONSTANTS = [
    (r'static let \w+ = Proof\.Check\.Name\(rawValue: "([a-z-]+)"\)', "Documentation/Operating/Center.md"),
]
WALKTHROUGH = "Documentation/Walkthrough.md"
# [`Type.function`](../Sources/…/File.swift)
NAMED = re.compile(r"\[`(\w+)\.(\w+)`\]\(\.\./(Sources/[^)]+\.swift)\)")


def words(root, sources):
    for name, page in ENUMERATIONS:
        values = sources.choices(name) or []
        if not values:
            yield page, f"the enumeration {name} is not in Sources (Scripts/references/mentioned.py)"
        yield from ((page, f"does not explain `{v}` of {name}") for v in values if f"`{v}`" not in (root / page).read_text())
    for pattern, page in CONSTANTS:
        values, text = re.findall(pattern, sources.everything), (root / page).read_text()
        yield from ((page, f"does not explain `{value}`") for value in values if f"`{value}`" not in text)


def functions(root):
    for kind, function, path in NAMED.findall((root / WALKTHROUGH).read_text()):
        if not (root / path).is_file():
            yield WALKTHROUGH, f"names {kind}.{function} of {path}, which is not there"
            continue
        text = (root / path).read_text()
        declared = rf"\binit[?<(]" if function == "init" else rf"\bfunc {function}\b|\b(?:var|let) {function}\b"
        if not re.search(declared, text) or not re.search(rf"\b(?:struct|class|actor|enum|extension|protocol) (?:\w+\.)*{kind}\b", text):
            yield WALKTHROUGH, f"names {kind}.{function}, which {path} does not declare"


def problems(root):
    """(page, problem)"""
    yield from words(root, settings.Sources(root))
    yield from functions(root)
