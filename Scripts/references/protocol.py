# SPDX-License-Identifier: Apache-2.0
"""Whether the generated Swift is of the schema as it stands: every message, enum value and field of it is named there."""
import re

SCHEMA = "Protocol/epitope.proto"
GENERATED = "Sources/Model/PacketCoding/Generated/epitope.pb.swift"


def names(schema):
    """The names of messages, values and fields that a schema declares, each with its kind."""
    text = re.sub(r"//[^\n]*", "", schema)
    yield from (("message", name) for name in re.findall(r"\bmessage (\w+)", text))
    yield from (("name", name) for name in re.findall(r"(?<=[{;])\s*(?:(?:optional |repeated )?[\w.]+ )?(\w+) = \d+;", text))


def missing(schema, generated):
    for kind, name in names(schema):
        pattern = rf'protoMessageName: String = [^\n]*\.{name}"' if kind == "message" else rf"(?:[{{}}]|\\\d|\\0){name}\\0"
        if not re.search(pattern, generated) and not re.search(rf"[^A-Za-z_]{name}\\0", generated):
            yield f"does not declare {kind} {name}"
    declared = {name for kind, name in names(schema) if kind == "message"}
    for name in re.findall(r'protoMessageName: String = [^\n]*\.(\w+)"', generated):
        if name not in declared:
            yield f"declares {name}, which the schema does not"


def problems(root):
    schema, generated = (root / SCHEMA).read_text(), (root / GENERATED).read_text()
    for problem in missing(schema, generated):
        yield GENERATED, f"{problem} (run Scripts/generate-protobuf)"
