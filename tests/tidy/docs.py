#!/usr/bin/env python3
"""Docs match the code: files and links that they name exist, settings and methods are the code's own.

    docs.py ROOT        prints one line per difference; exit code 1 when there is one
"""
import json
import pathlib
import re
import sys

from words import tracked

FOLDERS = ("daemon/", "lsp/", "indexer/", "inference/", "tests/", "editor-plugins/", "docs/", ".ci/")


def named_paths(text):
    """Paths of this repository in `code` spans, without globs and {a,b} forms."""
    for span in re.findall(r"`([^`\n]+)`", text):
        for word in span.split():
            if word.startswith(FOLDERS) and re.fullmatch(r"[A-Za-z0-9_./-]+", word):
                yield word.rstrip("./") if not word.endswith("...") else ""


def check_links(root, files):
    problems = []
    for file in files:
        text = file.read_text(errors="replace")
        rel = file.relative_to(root)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path = target.split("#")[0]
            if path and not re.match(r"[a-z]+:", path) and not (file.parent / path).exists():
                problems.append(f"{rel}: link to {path}, which does not exist")
        for path in named_paths(text):
            if path and not (root / path).exists() and not list(root.glob(path + ".*")):
                problems.append(f"{rel}: names {path}, which does not exist")
    return problems


def documented_settings(root):
    """Setting names of docs/configuration.md: the first `code` cell of each table row."""
    page = root / "docs/configuration.md"
    if not page.is_file():
        return None
    return set(re.findall(r"^\|\s*`([a-z][A-Za-z0-9_.]*)`\s*\|", page.read_text(), re.M))


def check_settings(root):
    """Every setting of the VS Code extension that is not the extension's own is one of docs/configuration.md."""
    manifest = root / "editor-plugins/vscode/package.json"
    settings = documented_settings(root)
    if settings is None or not manifest.is_file():
        return []
    problems = [] if settings else ["docs/configuration.md: no table of settings found"]
    data = json.loads(manifest.read_text())
    for name, spec in data["contributes"]["configuration"]["properties"].items():
        key = name[len("ambit."):]
        if spec.get("x-client"):  # read by the extension alone, for example the path of the program
            continue
        if key not in settings:
            problems.append(f"editor-plugins/vscode/package.json: setting {name} is not in docs/configuration.md")
    return problems


def check_methods(root):
    """Methods: those of the handlers table and those that docs/protocol.md names in its tables are the same."""
    page = root / "docs/protocol.md"
    code = root / "daemon/handlers/table.cpp"
    if not page.is_file() or not code.is_file():
        return []
    in_code = set(re.findall(r'Handler\{"([^"]+)"', code.read_text())) | {"$/cancelRequest"}
    text = page.read_text()
    from_server = text.partition("| from the server")[2].split("\n\n")[0]
    method = r"^\| `([a-zA-Z$]+(?:/[a-zA-Z/]+)?)` \|"
    in_page = set(re.findall(method, text.replace(from_server, ""), re.M))
    return [f"docs/protocol.md: {m} of daemon/handlers/table.cpp is missing" for m in sorted(in_code - in_page)] + \
           [f"docs/protocol.md: {m} is not in daemon/handlers/table.cpp" for m in sorted(in_page - in_code)]


def check_commands(root):
    """README.md names the two commands, and both exist."""
    text = (root / "README.md").read_text()
    return [f"README.md: the command 'bash {c}' is missing" for c in ("daemon/try.sh", "tests/run.sh")
            if f"bash {c}" not in text or not (root / c).is_file()]


def check(root):
    pages = [f for f in tracked(root) if f.suffix == ".md" and f.is_file()]
    return check_links(root, pages) + check_settings(root) + check_methods(root) + check_commands(root)


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found) if found else "docs match the code")
    sys.exit(1 if found else 0)
