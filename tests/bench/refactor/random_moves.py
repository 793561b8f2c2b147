#!/usr/bin/env python3
"""Moves definitions of a real repository at random; after each move its own build or tests must pass.

    random_moves.py AMBIT CLONE --ext .go --check 'go vet ./... && go test ./...' [--count 40] [--seed 1]

AMBIT: the program. CLONE: a git repository; a copy of it is worked on. Each move goes from one file to
another with the same ending (--same-folder, --other-folder: of one folder, of two), is applied, checked
with the command, and undone, after which git must find nothing changed. Prints each refusal with its reason, each
failure with the end of the command's output, and a summary; exit code 1 when a check failed.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

MOVABLE = {"function", "method", "class", "struct", "interface", "enum", "type", "trait", "union", "macro"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ambit")
    parser.add_argument("clone")
    parser.add_argument("--ext", required=True)
    parser.add_argument("--check", required=True, help="a shell command in the copy's root")
    parser.add_argument("--count", type=int, default=40, help="of moves that are not refused")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--same-folder", action="store_true")
    parser.add_argument("--other-folder", action="store_true")
    parser.add_argument("--below", default="", help="only files below this folder")
    parser.add_argument("--skip", default="^$", help="a pattern of files that are left out: tests, other programs")
    parser.add_argument("--new-file", type=float, default=0.2, help="how often the target is a new file")
    asked = parser.parse_args()
    ambit = os.path.abspath(asked.ambit)
    base = pathlib.Path(tempfile.mkdtemp(prefix="ambit-moves-"))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "AMBIT_"))}
    for key in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        env[key] = str(base / key.lower())
        os.makedirs(env[key], mode=0o700)
    root = base / "repo"
    subprocess.run(["git", "clone", "-q", asked.clone, root], check=True)

    def run(*words, shell=False):
        done = subprocess.run(words[0] if shell else words, cwd=root, env=env, capture_output=True, shell=shell)
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace")

    rng = random.Random(asked.seed)
    counts = collections.Counter()
    try:
        code, out = run(asked.check, shell=True)
        if code != 0:
            sys.exit(f"the check fails before any move:\n{out[-2000:]}")
        code, out = run(ambit, "index", "symbols", "--format", "jsonl")
        symbols = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        symbols = [s for s in symbols if s["path"].endswith(asked.ext) and s["path"].startswith(asked.below)
                   and s["kind"] in MOVABLE and not re.search(asked.skip, s["path"])]
        if asked.ext == ".java":  # what stands at the top, and static methods
            symbols = [s for s in symbols if ("static " in s["signature"] if s["kind"] == "method"
                                              else not s.get("scope"))]
        files = sorted({s["path"] for s in symbols})
        rng.shuffle(symbols)
        refused = collections.Counter()
        for s in symbols:
            if counts["passed"] + counts["failed"] >= asked.count:
                break
            folder = os.path.dirname(s["path"])
            targets = [f for f in files if f != s["path"] and (not asked.same_folder or os.path.dirname(f) == folder)
                       and not (asked.other_folder and os.path.dirname(f) == folder)]
            if not targets or rng.random() < asked.new_file:
                targets = [os.path.join(folder, "moved_here" + asked.ext)]
            to = rng.choice(targets)
            if asked.ext == ".java" and s["kind"] != "method":
                # A type has a file of its own, of its name; mostly in another package.
                to = os.path.join(os.path.dirname(to), s["name"] + ".java")
                if to == s["path"]:
                    continue
            separator = "." if asked.ext in (".go", ".py", ".js", ".ts", ".java") else "::"
            name = (s["scope"] + separator if s.get("scope") else "") + s["name"]
            code, out = run(ambit, "refactor", "plan", f"move {name} to {to}")
            if code != 0:
                counts["refused"] += 1
                refused[re.sub(r"\S*[/.]\S*|\b" + re.escape(s["name"]) + r"\b", "…", out.strip())] += 1
                print(f"refused: {name} ({s['path']}) to {to}: {out.strip()}", flush=True)
                continue
            code, out = run(ambit, "refactor", "apply")
            if code != 0:
                sys.exit(f"apply failed: {name} to {to}: {out}")
            code, out = run(asked.check, shell=True)
            counts["passed" if code == 0 else "failed"] += 1
            print(f"{'passed' if code == 0 else 'FAILED'}: {name} ({s['path']}) to {to}", flush=True)
            if code != 0:
                print(out[-1500:], run("git", "diff")[1][:4000], flush=True)
            code, out = run(ambit, "refactor", "undo")
            left = run("git", "status", "--porcelain")[1]
            if code != 0 or left:
                counts["not undone"] += 1
                print(f"NOT UNDONE: {name} to {to}: {out}{left}")
                run("git", "checkout", "-q", "."), run("git", "clean", "-fdq")
        print("refusals:")
        for why, n in refused.most_common(12):
            print(f"{n:5}  {why}")
        print(dict(counts))
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return 1 if counts["failed"] or counts["not undone"] else 0


if __name__ == "__main__":
    sys.exit(main())
