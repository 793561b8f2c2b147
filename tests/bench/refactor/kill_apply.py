#!/usr/bin/env python3
"""Kills `ambit refactor apply` with SIGKILL at random moments; the tree must be as before or as after.

    kill_apply.py AMBIT [--files 400] [--rounds 60] [--seed 1] [--no-guard]

A repository of that many files, in each of which one name is used, is renamed over and over. Each time
the process is killed after a random part of the time that an apply takes. With the guard (a second
process that watches; journal_guard.h) nothing else is run before the tree is looked at, once no
temporary file is left; with --no-guard it is killed too, and the next `ambit refactor list` puts the
tree right. Then everything is undone, after which git must find nothing changed.
"""
import argparse
import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from trial import Trial


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ambit")
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-guard", action="store_true")
    asked = parser.parse_args()
    with Trial(asked.ambit) as trial:
        return kill(trial, asked)


def kill(trial, asked):
    ambit, root, run = trial.ambit, trial.root, trial.run
    (root / "main.py").write_text("def price():\n    return 1\n")
    for i in range(asked.files - 1):
        (root / f"user{i}.py").write_text(f"from main import price\n\nvalue = price() + {i}\n")

    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    run("git", "init", "-q"), run("git", "add", "-A"), run("git", *identity, "commit", "-qm", "first")

    def changed():
        return sum("cost" in f.read_text() for f in root.glob("*.py"))

    def left():
        return list(root.glob(".ambit-*"))

    rng = random.Random(asked.seed)
    seen = collections.Counter()
    run(ambit, "refactor", "plan", "rename price to cost")
    began = time.monotonic()
    code, out = run(ambit, "refactor", "apply")
    whole = time.monotonic() - began
    assert code == 0 and changed() == asked.files, out
    assert run(ambit, "refactor", "undo")[0] == 0
    print(f"an apply of {asked.files} files takes {whole:.2f} s")
    for round in range(asked.rounds):
        code, out = run(ambit, "refactor", "plan", "rename price to cost")
        assert code == 0, out
        child = subprocess.Popen([ambit, "refactor", "apply"], cwd=root, env=trial.env,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 start_new_session=True)
        time.sleep(rng.random() * whole * 1.2)
        ended = child.poll() is not None
        if asked.no_guard:
            # Its guard has a session of its own, and names the program and the journal.
            mine = [p for p in pathlib.Path("/proc").glob("[0-9]*") if is_guard(p, trial.base)]
            child.send_signal(signal.SIGKILL)
            for p in mine:
                try:
                    os.kill(int(p.name), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        else:
            child.send_signal(signal.SIGKILL)
        child.wait()
        between = 0 < changed() < asked.files
        if asked.no_guard:
            run(ambit, "refactor", "list")
        else:
            for _ in range(1000):
                if not left() and changed() in (0, asked.files):
                    break
                time.sleep(0.02)
        n = changed()
        what = "after" if n == asked.files else "before" if n == 0 else "BETWEEN"
        seen[("ended by itself" if ended else "killed") + (", between" if between else "") + ": " + what] += 1
        if what == "BETWEEN" or left():
            print(f"round {round}: {n} of {asked.files} files, left: {left()}")
            seen["FAILED"] += 1
        run(ambit, "refactor", "list")
        if changed() == asked.files:
            run(ambit, "refactor", "undo")
        if run("git", "status", "--porcelain")[1]:
            seen["FAILED"] += 1
            print(f"round {round}: git finds changes after the undo")
            run("git", "checkout", "-q", "."), run("git", "clean", "-fdq")
    print(dict(seen))
    return 1 if seen["FAILED"] else 0


def is_guard(process, base):
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"guard" in words and any(str(base).encode() in w for w in words)


if __name__ == "__main__":
    sys.exit(main())
