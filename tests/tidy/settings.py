#!/usr/bin/env python3
"""Every setting of daemon/config_table.cpp is read by its name somewhere in the program.

    settings.py ROOT    prints one line per setting that nobody reads; exit code 1 when there is one
"""
import pathlib
import re
import sys

TABLE = "daemon/config_table.cpp"


def check(root):
    root = pathlib.Path(root)
    table = root / TABLE
    if not table.is_file():
        return []
    names = re.findall(r'Setting\{"([^"]+)"', table.read_text())
    code = "".join(file.read_text(errors="replace") for folder in ("daemon", "indexer", "inference", "lsp")
                   for kind in ("*.cpp", "*.h") for file in sorted((root / folder).rglob(kind)) if file != table)
    return [f"{TABLE}: nobody reads {name}" for name in names if f'"{name}"' not in code]


if __name__ == "__main__":
    found = check(sys.argv[1])
    print("\n".join(found) or "every setting is read")
    sys.exit(1 if found else 0)
