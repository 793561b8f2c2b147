#!/usr/bin/env python3
"""Scripts and data files parse: shell, Python, JSON, and JavaScript when node is there.

    scripts.py ROOT     prints one line per broken file; exit code 1 when there is one
"""
import ast
import json
import pathlib
import re
import shutil
import subprocess
import sys

from words import tracked


def first_line_of(file):
    with open(file, "rb") as handle:
        return handle.readline(200)


def check(root):
    problems = []
    node = shutil.which("node")
    for file in tracked(root):
        if not file.is_file():
            continue
        rel = file.relative_to(root)
        if file.suffix == ".sh" or (file.suffix == "" and re.match(rb"#!.*\b(ba)?sh\b", first_line_of(file))):
            shell = "bash" if b"bash" in first_line_of(file) else "sh"
            run = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True)
            if run.returncode:
                problems.append(f"{rel}: {run.stderr.strip().splitlines()[0]}")
        elif file.suffix == ".py":
            try:
                ast.parse(file.read_text(), str(rel))
            except SyntaxError as error:
                problems.append(f"{rel}:{error.lineno}: {error.msg}")
        elif file.suffix == ".json" and "golden" not in rel.parts and rel.name != "tsconfig.json":
            try:
                json.loads(file.read_text())
            except ValueError as error:
                problems.append(f"{rel}: {error}")
        elif file.suffix == ".mjs" and node:
            run = subprocess.run([node, "--check", str(file)], capture_output=True, text=True)
            if run.returncode:
                problems.append(f"{rel}: {run.stderr.strip().splitlines()[0]}")
    return problems


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found) if found else "all scripts parse")
    sys.exit(1 if found else 0)
