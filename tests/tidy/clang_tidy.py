#!/usr/bin/env python3
"""clang-tidy over every C++ source of ours, with the checks of .clang-tidy.

    clang_tidy.py BUILD [FOLDER_OR_FILE...]     BUILD: a configured build folder, for its compile_commands.json

Exit code 1 when there is a finding, 77 without clang-tidy 14 (other versions find other things; Debian 12 has this one).
A source whose text, headers, command and checks are as in its last clean run is not looked at again: BUILD/tidy remembers them.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

from words import tracked

TOP = pathlib.Path(__file__).resolve().parents[2]


def tool():
    for name in ("clang-tidy-14", "clang-tidy"):
        if shutil.which(name) and " 14." in subprocess.run([name, "--version"], capture_output=True, text=True).stdout:
            return name
    return None


def headers(entry):
    """The files of this repository that the source reads, itself included."""
    words = [w for w in shlex.split(entry["command"]) if not w.endswith("ccache")]
    if "-o" in words:
        del words[words.index("-o"):words.index("-o") + 2]
    made = subprocess.run(["clang++", *words[1:], "-MM", "-w"], cwd=entry["directory"], capture_output=True, text=True)
    names = made.stdout.replace("\\\n", " ").partition(":")[2].split()
    paths = {os.path.normpath(os.path.join(entry["directory"], name)) for name in names}
    return sorted(path for path in paths if path.startswith(str(TOP)))


def digest(entry, files):
    made = hashlib.sha256(entry["command"].encode() + (TOP / ".clang-tidy").read_bytes())
    for file in files:
        made.update(pathlib.Path(file).read_bytes())
    return made.hexdigest()


def look_at(name, build, entry):
    """What clang-tidy says of one source; "" when nothing."""
    note = build / "tidy" / hashlib.sha256(entry["file"].encode()).hexdigest()
    try:
        known = json.loads(note.read_text())
        if known["digest"] == digest(entry, known["files"]):
            return ""
    except (OSError, ValueError):
        pass  # not seen yet, or a header is gone
    run = subprocess.run([name, "-p", str(build), "--quiet", entry["file"]], capture_output=True, text=True)
    if run.returncode or run.stdout.strip():
        return run.stdout or run.stderr
    files = headers(entry)
    note.write_text(json.dumps({"files": files, "digest": digest(entry, files)}))
    return ""


def main():
    name = tool()
    if not name:
        print("skipped: no clang-tidy 14 on this machine")
        return 77
    build = pathlib.Path(sys.argv[1]).resolve()
    only = [pathlib.Path(word).resolve() for word in sys.argv[2:]]
    (build / "tidy").mkdir(exist_ok=True)
    ours = {str(path) for path in tracked(TOP) if path.suffix == ".cpp"}
    entries = {e["file"]: e for e in json.loads((build / "compile_commands.json").read_text()) if e["file"] in ours
               and (not only or any(o == pathlib.Path(e["file"]) or o in pathlib.Path(e["file"]).parents for o in only))}
    said = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for text in pool.map(lambda entry: look_at(name, build, entry), entries.values()):
            # A finding in a header is said of every source that includes it; once is enough.
            if text and text not in said:
                said[text] = None
                print(text, flush=True)
    print(f"{len(entries)} sources, {'no finding' if not said else 'with findings'}")
    return 1 if said or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
