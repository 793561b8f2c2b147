"""A copy of a repository with folders of its own for Ambit, on which changes are tried and taken back."""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def options(parser):
    """What all the scripts of random changes are asked."""
    parser.add_argument("ambit")
    parser.add_argument("clone")
    parser.add_argument("--ext", required=True)
    parser.add_argument("--check", required=True, help="a shell command in the copy's root")
    parser.add_argument("--count", type=int, default=30, help="of changes that are not refused")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--below", default="", help="only files below this folder")
    parser.add_argument("--skip", default="^$", help="a pattern of files that are left out: tests, other programs")


class Trial:
    """`root` is an empty folder, or a clone of `clone`; `env` keeps every command from the user's own Ambit."""

    def __init__(self, ambit, clone=None):
        self.ambit = os.path.abspath(ambit)
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="ambit-trial-"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "AMBIT_"))}
        for key in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
            self.env[key] = str(self.base / key.lower())
            os.makedirs(self.env[key], mode=0o700)
        self.root = self.base / "repo"
        if clone:
            subprocess.run(["git", "clone", "-q", clone, self.root], check=True)
        else:
            self.root.mkdir()
        self.counts, self.refused = collections.Counter(), collections.Counter()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run(self.ambit, "stop")
        shutil.rmtree(self.base, ignore_errors=True)

    def run(self, *words, shell=False):
        """The exit code and everything that was printed."""
        done = subprocess.run(words[0] if shell else words, cwd=self.root, env=self.env, capture_output=True, shell=shell)
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace")

    def must_pass(self, check):
        code, out = self.run(check, shell=True)
        if code != 0:
            sys.exit(f"the check fails before any change:\n{out[-2000:]}")

    def symbols(self, asked, kinds):
        """What the index knows of the files that `asked` names by ext, below and skip."""
        lines = self.run(self.ambit, "index", "symbols", "--format", "jsonl")[1].splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [s for s in found if s["path"].endswith(asked.ext) and s["path"].startswith(asked.below)
                and s["kind"] in kinds and not re.search(asked.skip, s["path"])]

    def tried(self):
        return self.counts["passed"] + self.counts["failed"]

    def judge(self, check, what):
        """Counts whether the check passes on the tree as it is."""
        code, out = self.run(check, shell=True)
        self.counts["passed" if code == 0 else "failed"] += 1
        print(f"{'passed' if code == 0 else 'FAILED'}: {what}", flush=True)
        if code != 0:
            print(out[-1500:], self.run("git", "diff")[1][:4000], flush=True)

    def refactor(self, check, what, class_of, *words):
        """Plans and applies `ambit refactor plan WORDS`, judges, and undoes. `class_of` shortens a refusal for the summary."""
        code, out = self.run(self.ambit, "refactor", "plan", *words)
        if code != 0:
            self.counts["refused"] += 1
            self.refused[class_of(out.strip())] += 1
            print(f"refused: {what}: {out.strip()}", flush=True)
            return
        code, out = self.run(self.ambit, "refactor", "apply")
        if code != 0:
            sys.exit(f"apply failed: {what}: {out}")
        self.judge(check, what)
        code, out = self.run(self.ambit, "refactor", "undo")
        left = self.run("git", "status", "--porcelain")[1]
        if code != 0 or left:
            self.counts["not undone"] += 1
            print(f"NOT UNDONE: {what}: {out}{left}")
            self.run("git", "checkout", "-q", "."), self.run("git", "clean", "-fdq")

    def summary(self):
        """Prints it; the exit code."""
        if self.refused:
            print("refusals:")
        for why, n in self.refused.most_common(12):
            print(f"{n:5}  {why}")
        print(dict(self.counts))
        return 1 if self.counts["failed"] or self.counts["not undone"] else 0
