#!/usr/bin/env python3
"""A type's full name stands for one type: two of one name in one namespace would share their weak symbols at link time.

    names.py ROOT       prints one line per second definition; exit code 1 when there is one

Reads what clang-format leaves: definitions at namespace level begin their line, namespaces end with a comment.
"""
import pathlib
import re
import sys

TYPE = re.compile(r"(?:struct|class|union|enum(?: class)?) (?:alignas\(\w+\) )?(\w+)(?: final)?(?: : [^;]*)?(?: \{|$)")
OPEN = re.compile(r"(?:inline )?namespace ?([\w:]*) \{")
CLOSE = re.compile(r"\}  // namespace")
FOLDERS = ("daemon", "lsp", "indexer", "inference")


def definitions(text):
    """(line number, full name) of the types at namespace level outside of anonymous namespaces."""
    scopes = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := OPEN.match(line):
            scopes.append(match.group(1))
        elif CLOSE.match(line) and scopes:
            scopes.pop()
        elif (match := TYPE.match(line)) and "" not in scopes:
            yield number, "::".join(scopes + [match.group(1)])


def check(root):
    problems, seen = [], {}
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".h", ".cpp") or "node_modules" in file.parts:
                continue
            for number, name in definitions(file.read_text(errors="replace")):
                where = f"{file.relative_to(root)}:{number}"
                if name in seen:
                    problems.append(f"{where}: {name} is another type than that of {seen[name]}; give one a name of its own")
                seen.setdefault(name, where)
    return problems


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found) if found else "every name stands for one type")
    sys.exit(1 if found else 0)
