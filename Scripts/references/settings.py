# SPDX-License-Identifier: Apache-2.0
"""Documentation/Reference/Settings.md: the keys of the settings files, from the types that decode them."""
import functools
import re

from . import swift_source

HEAD = """# Settings

<!-- Made by Scripts/generate-references from the sources; edits are lost. -->

Every key may be left out. What can't be used is refused (`configuration-invalid`, in a policy file `policy-invalid`) with its file, line,
column and what to do: an unknown key, so that a misspelt one is never passed over, a value of another type or out of its bounds, a key that
stands twice.

## Files

The settings of a center are YAML, or JSON, of which YAML is more: a file whose name ends with `.json` is read as JSON. Whole files with every
key at its default: [local-center.yaml](../../Examples/local-center.yaml), [global-center.yaml](../../Examples/global-center.yaml).

- After the file (`--config FILE`), the files of the folder `FILE.d` beside it are read, or of `--config-folder FOLDER`: `*.yaml`, `*.yml` and
  `*.json`, in the order of their names. What a later one sets stands: an object such as `suricata` is merged key by key, a list is replaced,
  and a key without a value goes back to its default. `epitope local-center check` says which file each value is from.
- Plain words mean what YAML 1.2 says: `true` and `false` alone are flags (`yes` and `on` are texts), and a number in quotes is a text.
- A file has at most 1 MiB and 20,000 values, and 16 lists and objects in each other; a folder at most 256 files. Anchors, aliases and tags
  (`&`, `*` and `!` before a word) are refused, also where they stand behind a value in a comment.
- **Applies**: `reload` is taken over while the center runs, by `systemctl reload` (SIGHUP); `start` needs a restart, and a reload says so. A
  reload with anything wrong in any file changes nothing: the log says what, and `/v1/health` has it as `settings`.

A policy file is JSON, and one file: `epitope policy exclude` writes to it, and the agent, which runs as root, has no reader of YAML in it.
It is as strict, and says as well where a fault is.
"""

# Heading, introduction, the type that decodes the keys, the type whose initialiser has the defaults (None: the type itself).
FILES = [
    ("Local center", "`epitope local-center serve --config FILE`; `epitope local-center check --config FILE` says what is wrong before a start.", "LocalCenterConfiguration", None),
    ("Suricata", "The object `suricata` in a local center's settings. `--suricata-socket`, `--suricata-rules` and `--action` "
     "override it.", "SuricataSettings", None),
    ("Weights", "The object `weights` in a center's settings: a key for each kind of evidence.", "EvidenceWeightSettings", None),
    ("Store", "The object `store` in a center's settings, for a store in PostgreSQL.", "StoreSettings", None),
    ("Notifications", "The object `notifications` in a center's settings: what other systems are told, and who is told what. See "
     "[Notifications.md](../Operating/Notifications.md).", "NotificationSettings", None),
    ("A destination", "Each entry of `notifications.destinations`, under a name of lower-case letters, digits and hyphens.",
     "DestinationSettings", None),
    ("A rule of notifications", "Each entry of `notifications.rules`, under such a name.", "NotificationRuleSettings", None),
    ("Global center", "`epitope global-center serve --config FILE`; `epitope global-center check --config FILE` says what is wrong before a start.", "GlobalCenterConfiguration", None),
    ("Policy of a host", "`/etc/epitope/policy.json`, or `--policy FILE`, of `epitope run` and `epitope agent`. `--action` and "
     "`--uninspectable` override it.", "PolicyDocument", "Policy"),
    ("An exclusion", "Each entry of `exclusions` in a policy file names one of `executable`, `package`, `unit`, `container`, "
     "`user`, and has `evidence`, `reason` and `until`. See [Policy.md](../Operating/Policy.md#exclusions).", "PolicyDocument.Entry", None),
]

# What the keys of an exclusion are: they are read into one value, and have no property of their own with a comment.
EXCLUSION = {
    "executable": ("the program at an absolute path of the host", "none"),
    "library": ("with `executable`: only in processes that have mapped the file at this absolute path as code", "none"),
    "sha256": ("with `executable`: only as long as the file has this SHA-256, 64 hexadecimal digits", "none"),
    "package": ("the programs of an installed dpkg or rpm package", "none"),
    "unit": ("a systemd unit, such as `app.service`, with all its processes", "none"),
    "container": ("a container id: 64 hexadecimal digits, or at least the first 12", "none"),
    "user": ("processes whose real and effective user is this one, by name or number", "none"),
    "evidence": ("the one kind of evidence that doesn't count", "required"),
    "reason": ("why, for whoever reads it next", "required"),
    "until": ("the last day on which it holds, in UTC, as `2027-06-30`", "required"),
}


# Texts that are no paths.
TEXTS = {"postgresql", "address", "from", "user"}


# What a table of groups under names is.
TABLE = "names, each with its keys"


class Sources:
    def __init__(self, root):
        self.files = swift_source.sources(root)
        self.everything = "\n".join(text for _, text in self.files)

    @functools.cache
    def body(self, name, kinds="struct|enum|class|actor"):
        """The body of a type's declaration (Outer.Inner: the inner one's), and of the extensions that have CodingKeys."""
        outer, _, inner = name.partition(".")
        declared = re.compile(rf"^\s*(?:(?:public|package|private|final) )*(?:{kinds}) {outer}\b[^{{\n]*\{{", re.MULTILINE)
        for _, text in self.files:
            found = declared.search(text)
            if found:
                start = text.index("{", found.start())
                body = text[start:swift_source.end_of_group(text, start)]
                if inner:
                    return Sources.inner(body, inner)
                return body + "".join(self.extensions(outer))
        return None

    @staticmethod
    def inner(body, name):
        found = re.search(rf"\b(?:struct|enum) {name}\b[^{{\n]*\{{", body)
        start = body.index("{", found.start()) if found else 0
        return body[start:swift_source.end_of_group(body, start)] if found else None

    def extensions(self, name):
        for _, text in self.files:
            for found in re.finditer(rf"^(?:public )?extension {name}\b[^{{\n]*\{{", text, re.MULTILINE):
                start = text.index("{", found.start())
                yield text[start:swift_source.end_of_group(text, start)]

    def constant(self, expression):
        """The value of Type.name, or of a literal. A name alone stands for no constant: another type may have one of that name."""
        expression = expression.strip()
        if re.fullmatch(r"-?[\d._]+|true|false", expression):
            return expression.replace("_", "")
        if re.fullmatch(r'"[^"\\]*"', expression):
            return expression.strip('"')
        kind, _, name = expression.rpartition(".")
        if not re.fullmatch(r"\w+(\.\w+)*", kind) or not re.fullmatch(r"\w+", name):
            return None
        declared = (self.body(kind) or "") + ("" if "." in kind else "".join(self.extensions(kind)))
        found = re.search(rf"static let {name}(?:: \w+)? = ([^\n]+)", declared)
        return self.constant(found[1]) if found else None

    def choices(self, kind):
        """The raw values of an enumeration of strings by their cases' names. It is named with its outer type where it has one."""
        outer, _, name = kind.rpartition(".")
        found = re.search(rf"\benum {name}: String\b[^{{\n]*\{{", (self.body(outer) if outer else self.everything) or "")
        if not found or name == "CodingKeys":
            return None
        text = self.body(outer) if outer else self.everything
        body = swift_source.without_comments(text[found.end() - 1:swift_source.end_of_group(text, found.end() - 1)])
        cases = [item for line in re.findall(r"^\s*case ([^.:\n]+)$", body, re.MULTILINE) for item in line.split(",")]
        return {name.strip().strip("`"): raw.strip().strip('"') or name.strip().strip("`")
                for name, _, raw in (item.partition("=") for item in cases)}


# The settings that have a key for each kind of evidence, and name none of them themselves.
WEIGHTS = "EvidenceWeightSettings"


@functools.cache
def weights(sources):
    """The weight of each kind of evidence, by the kind's name in files."""
    body = sources.body("EvidenceKind")
    names = {found[1]: found[2] for found in re.finditer(r'^    case (\w+) = "([\w-]+)"$', body, re.MULTILINE)}
    table = re.search(r"var defaultWeight: Int \{\n\s*switch self \{\n(.*?)\n        \}", body, re.DOTALL)
    found = {}
    for line in re.findall(r"case ([^\n]+)", table[1]):
        cases, _, points = line.partition(":")
        found.update({case.strip().lstrip("."): points.strip() for case in cases.split(",")})
    return {raw: found.get(name, "—") for name, raw in names.items()}


def keys(sources, owner, body):
    """(name in the file, property, the type that has it, its bounds or None) for each key, in the order of the type.

    A type names its keys as CodingKeys, or to a visitor, which it may hand on to a group of settings:

        try analysis.visit(&visitor)
        try visitor.setting("keepDays", &keepDays, in: 1...36500)
    """
    if owner == WEIGHTS:
        bounds = re.search(r"static let bounds = ([\d_]+)\.\.\.([\d_]+)", sources.body("EvidenceWeights"))
        for kind in weights(sources):
            yield kind, kind, owner, f"{bounds[1]} to {bounds[2]}"
        return
    visits = list(re.finditer(r"try (?:visitor\.(?:setting|object)\(|(\w+)\.visit\(&visitor\))", body))
    for found in visits:
        if found[1]:
            group = re.search(rf"var {found[1]}(?:: (\w+)| = (\w+)\()", body)
            name = group[1] or group[2]
            yield from keys(sources, name, sources.body(name))
            continue
        parts = swift_source.arguments(body, found.end() - 1)
        limits = next((re.match(r"in: (-?[\w.]+?)\.\.\.([\w.]+)$", part) for part in parts if part.startswith("in:")), None)
        said = f"{sources.constant(limits[1])} to {sources.constant(limits[2])}" if limits else None
        yield parts[0].strip('"'), parts[1].lstrip("&"), owner, said
    start = None if visits else re.search(r"enum CodingKeys\b[^{]*", body)
    if start:
        block = body[start.end():swift_source.end_of_group(body, start.end())]
        for line in re.findall(r"case ([^\n]+)", block):
            for item in line.split(","):
                name, _, raw = item.partition("=")
                yield raw.strip().strip('"') or name.strip(), name.strip(), owner, None


@functools.cache
def live(sources, owner):
    """The keys that a type says are taken over while a program runs."""
    if owner == WEIGHTS:
        return set(weights(sources))
    found = re.search(r"static let liveKeys: Set<String> = [^\[\n]*\[([^\]]*)\]", sources.body(owner) or "")
    return set(re.findall(r'"([\w-]+)"', found[1])) if found else set()


def properties(body):
    """property -> (type, default, doc comment)"""
    found, lines = {}, body.split("\n")
    for number, line in enumerate(lines):
        match = re.match(r"^    (?:public |package )?var (\w+)(?:: (\[\w+: \w+\]|[\w.\[\]?]+))?(?: = (.+))?$", line)
        if match:
            found[match[1]] = (match[2], match[3], swift_source.doc_comment(lines, number))
    return found


def initial(body):
    """parameter -> (type, default) of the initialisers that have defaults."""
    found = {}
    for match in re.finditer(r"\binit\(", body):
        for argument in swift_source.arguments(body, match.end() - 1):
            parts = re.match(r"(\w+): ([\w.?\[\]]+) = (.+)$", argument, re.S)
            if parts:
                found.setdefault(parts[1], (parts[2], parts[3]))
    return found


def bounds(sources, bodies, name):
    """What the checks of the type say of a key's value, for a person."""
    for body in bodies:
        for pattern in (rf"\(([\w.]+)\.\.\.([\w.]+)\)\.contains\({name}\)", rf'\("{name}", {name}, ([\w.]+?)\.\.\.([\w.]+)\)'):
            found = re.search(pattern, body)
            if found:
                return f"{sources.constant(found[1])} to {sources.constant(found[2])}"
        if found := re.search(rf"\b{name} >= (\d+)", body):
            return f"from {found[1]}"
        if re.search(rf'\("{name}", {name}\)', body) and (found := re.search(r"!\((\d+)\.\.\.(\d+)\)\.contains\(value\)", body)):
            return f"{found[1]} to {found[2]}"
    return None


def choices(sources, kind, owner, default):
    """What a property of an enumeration can be: `Kind`, a type of the owner's or of Policy's, or as its default names it."""
    outer = (default or "").rpartition(".")[0]
    named = [kind] if "." in kind else [f"{owner}.{kind}", f"Policy.{kind}", kind] if kind else [f"{owner}.{outer}", outer] if outer else []
    return next(filter(None, (sources.choices(name) for name in named)), None)


def kind_of(kind, value, constant):
    """A property's type where only its default shows it."""
    base = (kind or "").rstrip("?")
    if base:
        return base
    if value in ("true", "false"):
        return "Bool"
    return "number" if constant and re.fullmatch(r"-?[\d.]+", constant) else ""


def row(sources, owner, defaults, extra, key, name, limits):
    """Meaning, values and default of a key, and what is missing of them."""
    body = sources.body(owner)
    if owner == WEIGHTS:
        return "The points of evidence of this kind; 0: it does not count.", limits, f"`{weights(sources)[key]}`", None
    kind, value, doc = properties(body).get(name, (None, None, ""))
    if name in defaults:
        kind, value = kind or defaults[name][0], defaults[name][1]
    constant = sources.constant(value) if value else None
    base = kind_of(kind, value, constant)
    allowed = None if base in ("Bool", "Int", "Double", "String", "number") or base.startswith("[") else choices(sources, base, owner, value)
    if allowed:
        values = ", ".join(f"`{c}`" for c in allowed.values())
        constant = allowed.get((value or "").rpartition(".")[2])
    elif base in ("Int", "Double", "number"):
        values = limits or bounds(sources, [body] + extra, name) or "a number"
    else:
        values = {"Bool": "`true`, `false`", "String": "a path", "": "text"}.get(base, "a list" if base.startswith("[") and ":" not in base else "an object")
    if key in TEXTS:
        values = "a text"
    if base == "ConfidentialText":
        values = "an address"
    if (value or "").startswith("SettingsTable<"):
        return doc or "—", TABLE, "none", None if doc else f"{owner}.{name} has no doc comment to take the meaning of '{key}' from"
    problem = None if doc else f"{owner}.{name} has no doc comment to take the meaning of '{key}' from"
    if value in (None, "nil", "[]", '""', f"{base}()"):
        shown = "none"
    elif constant is None:
        shown, problem = "—", f"what the default of '{key}' is does not show from {value!r}"
    else:
        shown = f"`{constant}`"
    meaning = re.sub(r"; `nil`: there is none\.", ".", doc)
    meaning = re.sub(r"`nil`: (?:there is none, and )?", "without it, ", meaning) or "—"
    return meaning, values, shown, problem


def page(root):
    """The page, and the problems met."""
    sources, out, problems = Sources(root), [HEAD], []
    extra = [sources.everything]  # some bounds are checked by the type that a value is handed to
    for heading, introduction, owner, defaults_of in FILES:
        body = sources.body(owner)
        if not body:
            problems.append(f"the type {owner} is not in Sources")
            continue
        defaults = initial(sources.body(defaults_of) if defaults_of else body)
        # Not a setting but a rule with a constant of its own, in the document's text.
        for match in re.finditer(r"document\?\.(\w+) \?\? (true|false)", "".join(extra)):
            defaults.setdefault(match[1], ("Bool", match[2]))
        rows = []
        for key, name, holder, limits in keys(sources, owner, body):
            if owner == "PolicyDocument.Entry":
                meaning, value = EXCLUSION.get(key, (None, None))
                if meaning is None:
                    problems.append(f"the key '{key}' of an exclusion is explained nowhere (Scripts/references/settings.py)")
                rows.append(f"| `{key}` | {meaning or '—'} | {value} |")
                continue
            meaning, values, shown, problem = row(sources, holder, defaults, extra, key, name, limits)
            applies = "" if owner == "PolicyDocument" else " reload |" if key in live(sources, holder) else " start |"
            rows.append(f"| `{key}` | {meaning} | {values} | {shown} |{applies}")
            if problem:
                problems.append(problem)
        if not rows:
            problems.append(f"the type {owner} names no keys")
        head = "| key | meaning | default |\n| --- | --- | --- |" if owner == "PolicyDocument.Entry" else \
            "| key | meaning | values | default |\n| --- | --- | --- | --- |" if owner == "PolicyDocument" else \
            "| key | meaning | values | default | applies |\n| --- | --- | --- | --- | --- |"
        out.append(f"## {heading}\n\n{introduction}\n\n{head}\n" + "\n".join(rows))
    return "\n\n".join(part.strip() for part in out) + "\n", problems


EXAMPLE = """# SPDX-License-Identifier: Apache-2.0

# Every setting of the {kind}, with what it is when it is left out. Take the mark off those that you change.
#
#   epitope {kind} check --config FILE    says what is wrong, and where each value is from
#   systemctl reload epitope-{kind}       takes over what applies at a reload
#
# Made by Scripts/generate-references from the sources. More: Documentation/Reference/Settings.md
"""


def wrapped(text, width=100):
    """A comment in lines."""
    lines, line = [], "#"
    for word in re.sub(r"`", "", text).split():
        if len(line) + 1 + len(word) > width:
            lines.append(line)
            line = "#"
        line += " " + word
    return "\n".join(lines + [line])


def example(root, kind, owner):
    """A settings file with every key in a comment, at its default."""
    sources = Sources(root)
    extra, out = [sources.everything], [EXAMPLE.format(kind=kind)]

    def write(owner, indentation):
        body = sources.body(owner)
        defaults = initial(body)
        for key, name, holder, limits in keys(sources, owner, body):
            meaning, values, shown, _ = row(sources, holder, defaults, extra, key, name, limits)
            applies = "a reload" if key in live(sources, holder) else "a start"
            said = f"{values}; " if values not in ("a path", "a list", "an object", TABLE) else ""
            out.append(wrapped(f"{meaning} ({said}{'with its keys' if values == 'an object' else 'applies at ' + applies})"))
            kind = properties(sources.body(holder)).get(name, (None, None, None))[0]
            if values == "an object":
                out.append(f"#{indentation}{key}:")
                write(kind.rstrip("?"), indentation + "  ")
                continue
            value = "[]" if values == "a list" else "{}" if values == TABLE else "" if shown == "none" else shown.strip("`")
            out.append(f"#{indentation}{key}:{' ' if value else ''}{value}\n")

    write(owner, "")
    return "\n".join(out).rstrip() + "\n"
