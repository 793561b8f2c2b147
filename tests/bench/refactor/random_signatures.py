#!/usr/bin/env python3
"""Changes signatures in a real repository at random; after each change its own build or tests must pass.

    random_signatures.py AMBIT CLONE --ext .go --check 'go vet ./...' --parameter 'extra int' --value 7 [--count 30] [--seed 1]

Of functions with at least two parameters these are reordered, others get one more (--parameter, callers pass
--value, which must be allowed to stay unused). Each change is applied to a copy, checked with the command, and
undone, after which git must find nothing changed. Prints each refusal and each failure, and a summary; exit code 1
when a check failed.
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ambit")
    parser.add_argument("clone")
    parser.add_argument("--ext", required=True)
    parser.add_argument("--check", required=True, help="a shell command in the copy's root")
    parser.add_argument("--parameter", required=True)
    parser.add_argument("--value", required=True)
    parser.add_argument("--count", type=int, default=30, help="of changes that are not refused")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--below", default="")
    parser.add_argument("--skip", default="^$", help="a pattern of files that are left out")
    asked = parser.parse_args()
    base = pathlib.Path(tempfile.mkdtemp(prefix="ambit-signatures-"))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "AMBIT_"))}
    for key in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        env[key] = str(base / key.lower())
        os.makedirs(env[key], mode=0o700)
    root, ambit = base / "repo", os.path.abspath(asked.ambit)
    subprocess.run(["git", "clone", "-q", asked.clone, root], check=True)

    def run(*words, shell=False):
        done = subprocess.run(words[0] if shell else words, cwd=root, env=env, capture_output=True, shell=shell)
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace")

    rng, counts, refused = random.Random(asked.seed), collections.Counter(), collections.Counter()
    try:
        code, out = run(asked.check, shell=True)
        if code != 0:
            sys.exit(f"the check fails before any change:\n{out[-2000:]}")
        symbols = [json.loads(line) for line in run(ambit, "index", "symbols", "--format", "jsonl")[1].splitlines()
                   if line.startswith("{")]
        symbols = [s for s in symbols if s["path"].endswith(asked.ext) and s["path"].startswith(asked.below)
                   and s["kind"] in ("function", "method") and not re.search(asked.skip, s["path"])]
        rng.shuffle(symbols)
        for s in symbols:
            if counts["passed"] + counts["failed"] >= asked.count:
                break
            at = f"{s['path']}:{s['line']}:{s['col']}"
            # The refusal of a list that says too little names all parameters.
            names = re.search(r"each once: (.*)", run(ambit, "refactor", "plan", f"reorder parameters of {s['name']} to ,", "--at", at)[1])
            words = f'add parameter "{asked.parameter}" to {s["name"]} with {asked.value}'
            if names and rng.random() < 0.7:
                pieces = [re.split(r"[ :*&]+", p.strip()) for p in names[1].split(", ")]
                first = asked.ext in (".go", ".rs", ".py", ".js", ".ts")
                order = [re.sub(r"\W", "", p[0] if first else p[-1]) for p in pieces]
                if len(order) > 1:
                    order = order[1:] + order[:1]
                    words = f"reorder parameters of {s['name']} to {', '.join(order)}"
            code, out = run(ambit, "refactor", "plan", words, "--at", at)
            if code != 0:
                counts["refused"] += 1
                refused[re.sub(r"\S*[/.]\S*", "…", out.strip())[:120]] += 1
                print(f"refused: {words} at {at}: {out.strip()}", flush=True)
                continue
            code, out = run(ambit, "refactor", "apply")
            if code != 0:
                sys.exit(f"apply failed: {words} at {at}: {out}")
            code, out = run(asked.check, shell=True)
            counts["passed" if code == 0 else "failed"] += 1
            print(f"{'passed' if code == 0 else 'FAILED'}: {words} at {at}", flush=True)
            if code != 0:
                print(out[-1500:], run("git", "diff")[1][:4000], flush=True)
            code, out = run(ambit, "refactor", "undo")
            left = run("git", "status", "--porcelain")[1]
            if code != 0 or left:
                counts["not undone"] += 1
                print(f"NOT UNDONE: {words} at {at}: {out}{left}")
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
