# SPDX-License-Identifier: Apache-2.0
"""As much of Swift's syntax as the references need: calls with their arguments, string literals, doc comments."""
import functools
import pathlib
import re

STRING = re.compile(r'"""|"')


@functools.cache
def sources(root):
    """(path below the root, text) of each Swift file of Sources; generated code is left out."""
    files = sorted(p for p in (pathlib.Path(root) / "Sources").rglob("*.swift") if not p.name.endswith(".pb.swift"))
    return [(str(p.relative_to(root)), p.read_text()) for p in files]


def end_of_string(text, start):
    """The index behind the string literal that begins at `start`; interpolations may hold strings themselves."""
    quote = '"""' if text.startswith('"""', start) else '"'
    index = start + len(quote)
    while index < len(text):
        if text.startswith("\\(", index):
            index = end_of_group(text, index + 1)
        elif text[index] == "\\":
            index += 2
        elif text.startswith(quote, index):
            return index + len(quote)
        else:
            index += 1
    return index


def end_of_group(text, start):
    """The index behind the bracket that closes the one at `start`."""
    depth, index = 0, start
    while index < len(text):
        character = text[index]
        if character == '"':
            index = end_of_string(text, index)
            continue
        if text.startswith("//", index):
            index = text.find("\n", index) if "\n" in text[index:] else len(text)
            continue
        depth += (character in "([{") - (character in ")]}")
        index += 1
        if depth == 0:
            return index
    return index


def split(text, separator):
    """Splits at a separator that stands in no string and in no brackets."""
    parts, begin, index = [], 0, 0
    while index < len(text):
        if text[index] == '"':
            index = end_of_string(text, index)
        elif text[index] in "([{":
            index = end_of_group(text, index)
        elif text.startswith(separator, index):
            parts.append(text[begin:index])
            index += len(separator)
            begin = index
        else:
            index += 1
    return [part.strip() for part in parts + [text[begin:]]]


def arguments(text, opening):
    """The arguments of the call whose bracket opens at `opening`."""
    return split(text[opening + 1:end_of_group(text, opening) - 1], ",")


def without_comments(text):
    return re.sub(r"(?m)^\s*//.*$", "", text)


def literal(expression):
    """What a string expression says, its values as ‹name›; None where it is no literal."""
    parts = split(without_comments(expression).strip(), "+")
    said = []
    for part in parts:
        if not part.startswith('"'):
            name = re.search(r"(\w+)\W*$", part)
            said.append(f"‹{name[1]}›" if name and len(parts) > 1 else "")
            continue
        if end_of_string(part, 0) != len(part):
            return None
        quote = 3 if part.startswith('"""') else 1
        body = part[quote:-quote]
        if quote == 3:
            body = re.sub(r"\\\n\s*", "", body)
        said.append(re.sub(r"\s+", " ", filled(body)))
    return "".join(said).strip() or None


def filled(body):
    """A literal's text with each interpolation as the name of what it shows."""
    out, index = "", 0
    while index < len(body):
        if body.startswith("\\(", index):
            end = end_of_group(body, index + 1)
            out += shown(body[index + 2:end - 1])
            index = end
        elif body[index] == "\\" and index + 1 < len(body):
            out += {"n": " ", "t": " "}.get(body[index + 1], body[index + 1])
            index += 2
        else:
            out += body[index]
            index += 1
    return out


def shown(expression):
    """`‹name›` for an interpolation: its last name that says what it is."""
    expression = re.sub(r'"(?:\\.|[^"\\])*"', "", expression)
    expression = re.sub(r"\(.*\)|\{.*\}|\[.*\]", "", expression)
    names = [n for n in re.findall(r"[A-Za-z_]\w*", expression) if n not in ("rawValue", "count", "String", "Self", "self", "joined", "map", "description")]
    return f"‹{names[-1]}›" if names else "…"


def doc_comment(lines, index):
    """The doc comment right above a line, as one text; without `- Throws:` and its like."""
    above = []
    index -= 1
    while index >= 0 and re.match(r"^\s*@\w+", lines[index]):
        index -= 1
    while index >= 0 and lines[index].lstrip().startswith("///"):
        above.insert(0, lines[index].strip()[3:].strip())
        index -= 1
    return plain(" ".join(above).split(" - ")[0])


def plain(text):
    """A doc comment's links as the names that they link to."""
    return re.sub(r"``(?:\w+/)*(\w+)(?:\([^`]*\))?``", r"`\1`", re.sub(r"\s+", " ", text)).strip()
