# SPDX-License-Identifier: Apache-2.0
"""What a page has to say of the sources: words that a person meets in output, and the functions that the walkthrough names."""
import re

from . import settings

CENTER = "Documentation/Operating/Center.md"
# The enumeration of strings, and the page that has each of its values in code letters; of words that a command prints, also the heading
# under which each begins a row of a table that explains it.
ENUMERATIONS = [
    ("EvidenceKind", "Documentation/Design.md", None),
    ("HostEvent.Name", "Documentation/Operating/Host.md", "Logs and alerts"),
    ("CenterEvent.Step", CENTER, "Events"),
    ("ReportState", CENTER, "Words of status"),
    ("UpdateState", CENTER, "Words of status"),
    ("DeliveryState", CENTER, "Words of status"),
    ("DeliveryTarget", CENTER, None),
    ("QuotaKind", CENTER, "Words of status"),
    ("EnrolledPeer.State", CENTER, "People's decisions"),
    ("EvidenceGrade", CENTER, "What a rule rests on"),
    ("ServiceHealth.Part", CENTER, None),
    ("Policy.Action", "Documentation/Operating/Policy.md", None),
    ("ProtectionLevel", "Documentation/Operating/Agent.md", None),
]
# The same for values that are constants: how one is declared.
CONSTANTS = [
    (r'static let \w+ = Proof\.Check\.Name\(rawValue: "([a-z-]+)"\)', CENTER),
]
WALKTHROUGH = "Documentation/Walkthrough.md"
# [`Type.function`](../Sources/…/File.swift)
NAMED = re.compile(r"\[`(\w+)\.(\w+)`\]\(\.\./(Sources/[^)]+\.swift)\)")


def explained(text, heading):
    """The words that begin the rows of the tables under a heading; without one, all that stand in code letters."""
    if heading is None:
        return set(re.findall(r"`([^`\n]+)`", text))
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    cells = re.findall(r"^\| (`[^|]*) \|", section[1], re.MULTILINE) if section else []
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def words(root, sources):
    for name, page, heading in ENUMERATIONS:
        values = list((sources.choices(name) or {}).values())
        if not values:
            yield page, f"the enumeration {name} is not in Sources (Scripts/references/mentioned.py)"
        known, where = explained((root / page).read_text(), heading), f" in a table under '{heading}'" if heading else ""
        yield from ((page, f"does not explain `{v}` of {name}{where}") for v in values if v not in known)
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
