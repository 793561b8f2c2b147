#!/usr/bin/env python3
"""Tracked text files are as .editorconfig says: charset, line ends, final newline, trailing blanks, tabs.

    editorconfig.py ROOT    prints one line per difference; exit code 1 when there is one

Understands of a section's pattern: *, **, ?, {a,b}, and paths from the root where it holds a slash.
"""
import pathlib
import re
import sys

from words import TEXT_LIMIT, tracked


def pattern_of(glob):
    """A regular expression over the path from the root."""
    out = ""
    for token in re.findall(r"\*\*|\*|\?|\{[^{}]*\}|.", glob.removeprefix("/")):
        if token == "**":
            out += ".*"
        elif token == "*":
            out += "[^/]*"
        elif token == "?":
            out += "[^/]"
        elif len(token) > 1:
            out += "(?:" + "|".join(map(re.escape, token[1:-1].split(","))) + ")"
        else:
            out += re.escape(token)
    return re.compile(out if "/" in glob else "(?:.*/)?" + out)


def sections(text):
    """(pattern, settings) in the file's order; later ones win."""
    out = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            out.append((pattern_of(line[1:-1]), {}))
        elif "=" in line and not line.startswith(("#", ";")) and out:
            key, value = line.split("=", 1)
            out[-1][1][key.strip().lower()] = value.strip().lower()
    return out


def differences(data, want):
    """(line number, what) for one file; the first of each kind."""
    try:
        if want.get("charset") == "utf-8" and data.decode().startswith("\ufeff"):
            yield 1, "starts with a byte order mark"
    except UnicodeDecodeError as error:
        yield data.count(b"\n", 0, error.start) + 1, "is not UTF-8"
    if want.get("insert_final_newline") == "true" and data and not data.endswith(b"\n"):
        yield data.count(b"\n") + 1, "does not end with a newline"
    rules = []
    if want.get("end_of_line") == "lf":
        rules.append((rb"\r", "a carriage return, but lines end with LF"))
    if want.get("trim_trailing_whitespace") == "true":
        rules.append((rb"[ \t]+\r?$", "blanks at the line's end"))
    if want.get("indent_style") == "space":
        rules.append((rb"^ *\t", "a tab in the indentation"))
    if want.get("indent_style") == "tab":
        rules.append((rb"^\t* {8}", "eight blanks where a tab belongs"))
    for pattern, what in rules:
        for number, line in enumerate(data.split(b"\n"), 1):
            if re.search(pattern, line):
                yield number, what
                break


def check(root):
    config = root / ".editorconfig"
    if not config.is_file():
        return []
    parsed, problems = sections(config.read_text()), []
    for file in tracked(root):
        if not file.is_file() or file.is_symlink() or file.stat().st_size > TEXT_LIMIT:
            continue
        data = file.read_bytes()
        if b"\0" in data[:8192]:
            continue
        path, want = file.relative_to(root).as_posix(), {}
        for pattern, settings in parsed:
            if pattern.fullmatch(path):
                want.update(settings)
        problems += [f"{path}:{number}: {what}" for number, what in differences(data, want)]
    return problems


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found) if found else "text files are as .editorconfig says")
    sys.exit(1 if found else 0)
