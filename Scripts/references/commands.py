# SPDX-License-Identifier: Apache-2.0
"""Documentation/Reference/CommandLine.md: the help of every command, as HelpTests compares it with the programs.

Those files need no build, and a test (CommandLineTests) refuses them when they aren't what the programs print.
"""
import pathlib
import re

FOLDER = "Tests/FrontEnds/CommandLineTests/Help"

HEAD = """# Command line

<!-- Made by Scripts/generate-references from Tests/FrontEnds/CommandLineTests/Help; edits are lost. -->

Two programs: `epitope`, and `epitope-agent`, which lies beside it and which `epitope agent` starts. Every command has `--help`.

Where a command's help says nothing else, its exit status is 0 when it did what it was asked, 1 after an error, which is printed with its
[code](ErrorCodes.md), and 64 for wrong usage.
"""


def order(texts, command):
    """A command, then those below it in the order in which its help lists them."""
    yield command
    listed = re.search(r"^SUBCOMMANDS:\n((?:  .*\n?|\n)+)", texts[command], re.MULTILINE)
    names = re.findall(r"^  ([a-z][\w-]*)(?: |$)", listed[1] if listed else "", re.MULTILINE)
    for name in names:
        if f"{command} {name}" in texts:
            yield from order(texts, f"{command} {name}")


def page(root):
    """The page, None where no help is recorded; and the problems met."""
    folder = pathlib.Path(root) / FOLDER
    texts = {path.stem: path.read_text() for path in sorted(folder.glob("*.txt"))} if folder.is_dir() else {}
    if not texts:
        return None, []
    commands = [name for program in sorted(texts) if " " not in program for name in order(texts, program)]
    problems = [f"the help of '{name}' is recorded, and no other command lists it" for name in sorted(set(texts) - set(commands))]
    contents, taken = [], {}
    for name in commands:
        anchor = name.replace(" ", "-")
        # A second heading of one name, such as of `epitope agent` and `epitope-agent`, is linked to with -1 behind it.
        count = taken[anchor] = taken.get(anchor, -1) + 1
        contents.append(f"{'  ' * name.count(' ')}- [`{name}`](#{anchor}{f'-{count}' if count else ''})")
    parts = [HEAD.strip(), "\n".join(contents)] + [f"## {name}\n\n```\n{texts[name].rstrip()}\n```" for name in commands]
    return "\n\n".join(parts) + "\n", problems
