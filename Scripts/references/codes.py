# SPDX-License-Identifier: Apache-2.0
"""Documentation/Reference/ErrorCodes.md: every stable code, with its messages and remedies as far as the sources show them."""
import collections
import re

from . import swift_source

DECLARED = re.compile(r'static let (\w+)(?:: \S+)? = (?:(?:EpitopeError\.)?Code|Self|\.init)\(\s*(?:rawValue: )?"([a-z0-9-]+)"')
USED = re.compile(r"\bEpitopeError\(\s*(?=[.\w])")
# A remedy that several errors of a file share.
CONSTANT = re.compile(r'static let (\w+)(?:: String)? =\s+("[^"\n]*")$', re.M)
INLINE = re.compile(r'^(?:EpitopeError\.)?Code\("([a-z0-9-]+)"\)$')

HEAD = """# Error codes

<!-- Made by Scripts/generate-references from the sources; edits are lost. -->

Every error that a person can meet is printed as its message, its code in brackets, and what to do. The codes are stable: scripts may match
on them; the words may change. ‹name› stands for a value. Where no message is listed, the text is put together from its cause.

"""


class Code:
    def __init__(self):
        self.meaning, self.modules, self.texts = "", set(), []


def module(path):
    return path.split("/")[2] if path.split("/")[1] != "FrontEnds" or path.count("/") > 2 else path.split("/")[1]


def collect(root):
    """code -> Code"""
    codes, names = collections.defaultdict(Code), {}
    for path, text in swift_source.sources(root):
        lines = text.split("\n")
        for number, line in enumerate(lines):
            found = DECLARED.search(line)
            if found:
                names[found[1]] = found[2]
                code = codes[found[2]]
                code.meaning = code.meaning or swift_source.doc_comment(lines, number)
                code.modules.add(module(path))
    for path, text in swift_source.sources(root):
        constants = {f"Self.{name}": value for name, value in CONSTANT.findall(text)}
        for found in USED.finditer(text):
            parts = swift_source.arguments(text, text.index("(", found.start()))
            add(codes, names, path, parts, constants)
    return codes


def add(codes, names, path, parts, constants):
    if len(parts) < 2:
        return
    first = parts[0].strip()
    inline = INLINE.match(first)
    name = inline[1] if inline else names.get(first.removeprefix("EpitopeError.Code").lstrip("."))
    if not name:
        return
    code = codes[name]
    code.modules.add(module(path))
    message = swift_source.literal(parts[1])
    remedy = next((p.split(":", 1)[1].strip() for p in parts[2:] if p.startswith("remedy:")), None)
    remedy = swift_source.literal(constants.get(remedy, remedy)) if remedy else None
    if message and (message, remedy) not in code.texts:
        code.texts.append((message, remedy))


def quoted(text):
    """Markdown's own characters taken literally, outside of code."""
    parts = text.split("`")
    return "`".join(re.sub(r"([*_<\[])", r"\\\1", part) if index % 2 == 0 else part for index, part in enumerate(parts))


def page(root):
    codes = collect(root)
    out = [HEAD, f"There are {len(codes)} codes."]
    for name in sorted(codes):
        code = codes[name]
        out.append(f"### {name}")
        if code.meaning:
            out.append(code.meaning)
        out.append(f"Module: {', '.join(f'`{m}`' for m in sorted(code.modules))}.")
        texts = []
        for message, remedy in code.texts:
            texts.append(f"- {quoted(message)}")
            if remedy:
                texts.append(f"  - *What to do:* {quoted(remedy)}")
        if texts:
            out.append("\n".join(texts))
    return "\n\n".join(part.strip() for part in out) + "\n"
