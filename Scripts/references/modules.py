# SPDX-License-Identifier: Apache-2.0
"""The tables of ARCHITECTURE.md: which modules a group has, in their order, and what each may import.

What a module does is written by hand; the path and the imports come from Package.swift. A table is found by its marker:

    <!-- modules: Sources/Model -->
"""
import json
import re
import subprocess

MARKER = re.compile(r"<!-- modules: (\S+) -->\n\n?((?:\|.*\n)+)")
HEAD = "| module | its one job | may import |\n| --- | --- | --- |\n"


def package(root):
    out = subprocess.run(
        ["swift", "package", "--package-path", str(root), "dump-package"], capture_output=True, text=True, check=False)
    if out.returncode != 0:
        raise SystemExit(f"generate-references: swift package dump-package failed:\n{out.stderr}")
    return json.loads(out.stdout)


def imports(target, targets):
    """Targets of ours by name, then the products of other packages in italics."""
    ours, others = [], []
    for dependency in target["dependencies"]:
        for kind, value in dependency.items():
            (others if kind == "product" or value[0] not in targets else ours).append(value[0])
    return ", ".join(ours + [f"*{name}*" for name in sorted(others)]) or "nothing"


def groups(root):
    """folder -> [(name, is pure, imports)], in the order of Package.swift"""
    declared = package(root)["targets"]
    pure = set(re.findall(r'\bpure\(\s*"(\w+)"', (root / "Package.swift").read_text()))
    names = {target["name"] for target in declared}
    found = {}
    for target in declared:
        path = target.get("path") or ""
        if path.startswith("Sources/"):
            found.setdefault(path.rpartition("/")[0], []).append((target["name"], target["name"] in pure, imports(target, names)))
    return found


def jobs(text):
    """name -> what its row says that it does, anywhere in the page: a module that moves takes its text along"""
    rows = re.findall(r"^\| `([\w-]+)`[^|]* \| ((?:\\\||[^|])*) \|", text, re.MULTILINE)
    return dict(rows)


def page(root):
    """ARCHITECTURE.md with its tables as Package.swift has them, and the problems met."""
    text = (root / "ARCHITECTURE.md").read_text()
    known, declared, problems = jobs(text), groups(root), []
    marked = [found[1] for found in MARKER.finditer(text)]
    problems += [f"the group {group} has no table (<!-- modules: {group} -->)" for group in declared if group not in marked]
    problems += [f"the table {group} is of no group in Package.swift" for group in marked if group not in declared]

    def table(found):
        rows = ""
        for name, is_pure, uses in declared.get(found[1], []):
            job = known.get(name, "")
            if not job.strip():
                problems.append(f"say what the module {name} does in its row")
            rows += f"| `{name}`{' (pure)' if is_pure else ''} | {job} | {uses} |\n"
        return f"<!-- modules: {found[1]} -->\n\n{HEAD}{rows}"

    return MARKER.sub(table, text), problems
