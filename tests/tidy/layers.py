#!/usr/bin/env python3
"""Includes follow the layers of docs/architecture.md, and each foreign library has one home.

    layers.py ROOT      prints one line per violation; exit code 1 when there is one
"""
import pathlib
import re
import sys

# folder -> folders of ours that it may include. The longest matching folder counts.
MAY_INCLUDE = {
    "daemon/support": ["daemon/support"],
    "lsp": ["lsp", "daemon/support"],
    "indexer": ["indexer", "daemon/support"],
    "inference": ["inference", "daemon/support"],
    "daemon": ["daemon", "lsp", "indexer", "inference"],
    # Assists see no protocol type; they are called with ours (handlers/convert does the rest).
    "daemon/assists": ["daemon", "indexer", "inference"],
    "daemon/scheduling": ["daemon", "inference"],
    "tests": ["tests", "daemon", "lsp", "indexer", "inference"],
}
# Inside the daemon the arrows go handlers -> assists -> {workspace, scheduling} -> leaves, never back.
MUST_NOT_INCLUDE = {
    "daemon/assists": ["daemon/handlers", "daemon/net", "daemon/cli"],
    "daemon/workspace": ["daemon/handlers", "daemon/assists", "daemon/net", "daemon/cli"],
    "daemon/scheduling": ["daemon/handlers", "daemon/assists", "daemon/workspace", "daemon/cli"],
}
# pattern of a foreign header -> the folders that may name it
HOMES = [
    (r"git2(/|\.h)", ["indexer/git", "tests/indexer", "tests/support"]),
    (r"tree_sitter/", ["indexer/syntax", "tests/indexer"]),
    (r"boost/(asio|beast)", ["daemon", "inference/remote", "tests"]),
    (r"openssl/", ["inference/remote", "tests/inference"]),
    (r"(cuda|cublas|cuda_runtime|nv)[a-zA-Z0-9_]*\.h(pp)?$", ["inference/ops", "inference/engine", "inference/cuda", "tests"]),
    (r"nlohmann/", ["lsp", "daemon", "inference", "tests"]),
    (r"toml\+\+", ["daemon/toml.h"]),
    (r"CLI/", ["daemon", "tests"]),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
OURS = ("daemon/", "lsp/", "indexer/", "inference/", "tests/")


def under(path, folder):
    return path == folder or path.startswith(folder + "/")


def rule_of(rules, path):
    """The rule of the longest folder that holds `path`, or None."""
    best = [f for f in rules if under(path, f)]
    return rules[max(best, key=len)] if best else None


def check(root):
    problems = []
    files = [p for top in ("daemon", "lsp", "indexer", "inference", "tests")
             for p in sorted((root / top).rglob("*")) if p.suffix in (".h", ".cpp", ".c", ".cu", ".cuh")]
    for file in files:
        rel = file.relative_to(root).as_posix()
        if "node_modules" in rel:
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, header = match.groups()
            where = f"{rel}:{number}"
            if quote == '"' and header.startswith(OURS):
                if not (root / header).is_file():
                    problems.append(f"{where}: no file {header} (includes are written from the repository's root)")
                allowed = rule_of(MAY_INCLUDE, rel)
                if allowed is not None and not any(under(header, f) for f in allowed):
                    problems.append(f"{where}: {header} is out of its layer; this folder includes only {', '.join(allowed)}")
                if any(under(header, f) for f in rule_of(MUST_NOT_INCLUDE, rel) or []):
                    problems.append(f"{where}: {header} lies above this folder")
            for pattern, homes in HOMES:
                if quote == "<" and re.match(pattern, header) and not any(under(rel, home) for home in homes):
                    problems.append(f"{where}: <{header}> belongs in {', '.join(homes)} alone")
    if not files:
        problems.append(f"{root}: no source files found")
    return problems


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found) if found else "includes follow the layers")
    sys.exit(1 if found else 0)
