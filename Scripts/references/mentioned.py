# SPDX-License-Identifier: Apache-2.0
"""Words that a person meets in output and that a page explains: a page that leaves one out is stale."""
from . import settings

# The enumeration of strings, and the page that has each of its values in code letters.
PAGES = [
    ("EvidenceKind", "Documentation/Design.md"),
    ("HostEvent.Name", "Documentation/Operating/Host.md"),
    ("CenterEvent.Step", "Documentation/Operating/Center.md"),
    ("Policy.Action", "Documentation/Operating/Policy.md"),
    ("ProtectionLevel", "Documentation/Operating/Agent.md"),
]


def problems(root):
    """(page, problem)"""
    sources = settings.Sources(root)
    for name, page in PAGES:
        values, text = sources.choices(name), (root / page).read_text()
        if not values:
            yield page, f"the enumeration {name} is not in Sources (Scripts/references/mentioned.py)"
        for value in values or []:
            if f"`{value}`" not in text:
                yield page, f"does not explain `{value}` of {name}"
