#!/usr/bin/env python3
"""Moves definitions of a real repository at random; after each move its own build or tests must pass.

    random_moves.py AMBIT CLONE --ext .go --check 'go vet ./... && go test ./...' [--count 40] [--seed 1]

AMBIT: the program. CLONE: a git repository; a copy of it is worked on. Each move goes from one file to
another with the same ending (--same-folder, --other-folder: of one folder, of two), is applied, checked
with the command, and undone, after which git must find nothing changed. Prints each refusal with its reason, each
failure with the end of the command's output, and a summary; exit code 1 when a check failed.
"""
import argparse
import os
import random
import re
import sys

from trial import Trial, options

MOVABLE = {"function", "method", "class", "struct", "interface", "enum", "type", "trait", "union", "macro"}


def main():
    parser = argparse.ArgumentParser()
    options(parser)
    parser.add_argument("--same-folder", action="store_true")
    parser.add_argument("--other-folder", action="store_true")
    parser.add_argument("--new-file", type=float, default=0.2, help="how often the target is a new file")
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with Trial(asked.ambit, asked.clone) as trial:
        trial.must_pass(asked.check)
        symbols = trial.symbols(asked, MOVABLE)
        if asked.ext == ".java":  # what stands at the top, and static methods
            symbols = [s for s in symbols if ("static " in s["signature"] if s["kind"] == "method"
                                              else not s.get("scope"))]
        files = sorted({s["path"] for s in symbols})
        rng.shuffle(symbols)
        for s in symbols:
            if trial.tried() >= asked.count:
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
            trial.refactor(asked.check, f"{name} ({s['path']}) to {to}",
                           lambda why: re.sub(r"\S*[/.]\S*|\b" + re.escape(s["name"]) + r"\b", "…", why), f"move {name} to {to}")
        return trial.summary()


if __name__ == "__main__":
    sys.exit(main())
