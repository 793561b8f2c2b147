#!/usr/bin/env python3
"""Tracked files hold no unfinished-work marks, no path of one machine and no package registry's address.

    words.py ROOT       prints one line per find; exit code 1 when there is one
"""
import pathlib
import re
import subprocess
import sys

# The patterns are written so that this file does not match itself.
EVERYWHERE = [
    (r"(?<![A-Za-z0-9_.}])/(?:wor[k]|roo[t]|far[m])/", "a path of one machine"),
    (r"/home/[a-z]+/(?!\.\.\.)", "a path of one machine"),
    (r'"resolved"\s*:\s*"http', "a package address in a lock file (set omit-lockfile-registry-resolved)"),
    (r"registry\.npm[j]s\.org", "a package registry's address"),
]
IN_SOURCES = [
    (r"\b(?:TO[D]O|FIX[M]E|XX[X])\b", "an unfinished-work mark"),
]
SOURCES = {".h", ".cpp", ".c", ".cu", ".cuh", ".ts", ".mjs", ".js", ".lua", ".py", ".sh", ".txt", ".cmake", ".scm"}
TEXT_LIMIT = 4 << 20  # larger files are data


def tracked(root):
    """Files that git tracks, or, outside of a repository, all files but build products."""
    try:
        out = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True).stdout
        return [root / name for name in out.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        return [p for p in root.rglob("*") if p.is_file() and not {"build", "node_modules"} & set(p.parts)]


def check(root):
    problems = []
    for file in tracked(root):
        if not file.is_file() or file.stat().st_size > TEXT_LIMIT:
            continue
        data = file.read_bytes()
        if b"\0" in data[:8192]:
            continue
        rules = EVERYWHERE + (IN_SOURCES if file.suffix in SOURCES else [])
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            for pattern, what in rules:
                if re.search(pattern, line):
                    problems.append(f"{file.relative_to(root)}:{number}: {what}: {line.strip()[:100]}")
    return problems


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found) if found else "no word or path that should not be there")
    sys.exit(1 if found else 0)
