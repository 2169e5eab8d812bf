# SPDX-License-Identifier: Apache-2.0
"""Documentation/Reference/CommandLine.md: every command and option, as the built programs describe themselves."""
import json
import pathlib
import subprocess

HEAD = """# Command line

<!-- Made by Scripts/generate-references from the built programs; edits are lost. -->

`epitope agent` starts `epitope-agent`, which lies beside it; that program's options are at the end. Every command has `--help`.
"""

PROGRAMS = ("epitope", "epitope-agent")
FOLDERS = ("build", ".build/debug", ".build/release")


def program(root, name):
    """The newest of the programs that were built; None where there is none, or it is older than a source."""
    root = pathlib.Path(root)
    built = [p for p in (root / folder / name for folder in FOLDERS) if p.is_file()]
    newest = max(built, key=lambda p: p.stat().st_mtime, default=None)
    changed = max(p.stat().st_mtime for p in (root / "Sources").rglob("*.swift"))
    return newest if newest and newest.stat().st_mtime >= changed else None


def described(path):
    out = subprocess.run([path, "--experimental-dump-help"], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(out.stdout)["command"]


def cell(text):
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "\\<")


def spelling(argument):
    """`--name <value>`, with the short name where there is one."""
    value = f" <{argument.get('valueName', 'value')}>" if argument["kind"] == "option" else ""
    if argument["kind"] == "positional":
        return f"<{argument['valueName']}>" + (" ..." if argument.get("isRepeating") else "")
    names = [("-" if n["kind"] == "short" or n["kind"] == "longWithSingleDash" else "--") + n["name"] for n in argument.get("names", [])]
    return ", ".join(sorted(names, key=len)) + value + (" ..." if argument.get("isRepeating") else "")


def explained(argument):
    text = argument.get("abstract", "")
    if argument.get("discussion"):
        text += " " + argument["discussion"]
    if argument.get("defaultValue") is not None and argument["kind"] != "flag":
        text += f" Default: `{argument['defaultValue']}`."
    allowed = argument.get("allValueStrings") or argument.get("allValues")
    if allowed:
        text += " One of " + ", ".join(f"`{value}`" for value in allowed) + "."
    if not argument.get("isOptional") and argument["kind"] != "flag":
        text += " Required."
    return cell(text)


def section(command, path):
    path = f"{path} {command['commandName']}".strip()
    out = [f"## {path}", command.get("abstract", "")]
    if command.get("discussion"):
        out.append("\n".join(f"    {line}".rstrip() for line in command["discussion"].split("\n")) if "  " in command["discussion"]
                   else command["discussion"])
    shown = [a for a in command.get("arguments", []) if a.get("shouldDisplay", True) and not is_usual(a)]
    if shown:
        out.append("| argument | meaning |\n| --- | --- |\n" + "\n".join(f"| `{spelling(a)}` | {explained(a)} |" for a in shown))
    children = [c for c in command.get("subcommands", []) if c["commandName"] != "help"]
    return out + [part for child in children for part in section(child, path)]


def is_usual(argument):
    """--help and --version, which every command has."""
    return any(n["name"] in ("help", "version") for n in argument.get("names", []))


def page(root):
    """The page, None where the programs are not built; and the problems met."""
    paths = [program(root, name) for name in PROGRAMS]
    if None in paths:
        return None, []
    parts = [HEAD]
    for path in paths:
        parts += section(described(path), "")
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n", []
