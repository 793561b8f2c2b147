#!/usr/bin/env python3
"""Extracts statements and expressions of a real repository at random; after each the check must pass.

    random_extracts.py AMBIT CLONE --ext .c --check 'make' [--what function|variable] [--count 40] [--seed 1]

Selections are runs of one to eight lines of one indentation, or calls; most are no place to extract,
and are not offered. What is offered as a code action is applied to a copy of the repository, checked
with the command, and taken back. Prints each failure, and a summary; exit code 1 when a check failed.
"""
import argparse
import itertools
import json
import os
import random
import re
import subprocess
import sys

from trial import Trial, options


class Client:
    """The language server over stdio, one request at a time."""

    def __init__(self, ambit, root, env):
        self.process = subprocess.Popen([ambit, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, env=env)
        self.ids = itertools.count(1)
        uri = root.as_uri()
        self.call("initialize", processId=os.getpid(), rootUri=uri, workspaceFolders=[{"uri": uri, "name": "r"}], capabilities={
            "general": {"positionEncodings": ["utf-8"]},
            "textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["refactor.extract"]}},
                                            "dataSupport": True, "resolveSupport": {"properties": ["edit"]}}},
            "workspace": {"workspaceEdit": {"documentChanges": True}}})
        self.notify("initialized")

    def send(self, **message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def notify(self, method, **params):
        self.send(method=method, params=params)

    def call(self, method, **params):
        mine = next(self.ids)
        self.send(id=mine, method=method, params=params)
        while True:
            size = 0
            while (line := self.process.stdout.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            message = json.loads(self.process.stdout.read(size))
            if message.get("id") == mine and "method" not in message:
                return message.get("result")
            if "id" in message and "method" in message:
                asked = message["params"].get("items", []) if message["method"] == "workspace/configuration" else None
                self.send(id=message["id"], result=None if asked is None else [None] * len(asked))


def selections(text, what, rng):
    """Ranges of lines and columns (bytes)."""
    rows = text.split("\n")
    if what == "variable":
        for number, row in enumerate(rows):
            for m in re.finditer(r"[\w.>\-:]+\([^()]*\)", row):
                yield {"line": number, "character": len(row[:m.start()].encode())}, {"line": number, "character": len(row[:m.end()].encode())}
        return
    for number, row in enumerate(rows):
        indent = len(row) - len(row.lstrip())
        if not row.strip() or indent == 0:
            continue
        last = number + rng.randrange(8)
        if last < len(rows) and rows[last].strip():
            yield {"line": number, "character": indent}, {"line": last, "character": len(rows[last].encode())}


def edited(text, edits):
    rows = [len(r) + 1 for r in text.encode().split(b"\n")]
    starts = [0] + list(itertools.accumulate(rows))
    data = text.encode()
    at = lambda p: starts[p["line"]] + p["character"]
    for e in sorted(edits, key=lambda e: at(e["range"]["start"]), reverse=True):
        data = data[:at(e["range"]["start"])] + e["newText"].encode() + data[at(e["range"]["end"]):]
    return data.decode()


def main():
    parser = argparse.ArgumentParser()
    options(parser)
    parser.add_argument("--what", choices=["function", "variable"], default="function")
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with Trial(asked.ambit, asked.clone) as trial:
        trial.must_pass(asked.check)
        client = Client(trial.ambit, trial.root, trial.env)
        names = trial.run("git", "ls-files")[1].split()
        files = [f for f in names if f.endswith(asked.ext) and f.startswith(asked.below) and not re.search(asked.skip, f)]
        places = []
        for f in files:
            text = (trial.root / f).read_text(errors="replace")
            if "\ufffd" not in text:
                places += [(f, *s) for s in selections(text, asked.what, rng)]
        rng.shuffle(places)
        opened = set()
        for f, begin, end in places:
            if trial.tried() >= asked.count:
                break
            path = trial.root / f
            uri, text = path.as_uri(), path.read_text()
            if f not in opened:
                client.notify("textDocument/didOpen", textDocument={"uri": uri, "languageId": "", "version": 1, "text": text})
                opened.add(f)
            actions = client.call("textDocument/codeAction", textDocument={"uri": uri}, range={"start": begin, "end": end},
                                  context={"diagnostics": [], "only": ["refactor.extract"]}) or []
            action = next((a for a in actions if a.get("kind") == f"refactor.extract.{asked.what}"), None)
            trial.counts["asked"] += 1
            if action is None:
                continue
            action = client.call("codeAction/resolve", **action)
            path.write_text(edited(text, [e for d in action["edit"]["documentChanges"] for e in d["edits"]]))
            trial.judge(asked.check, f"{f}:{begin['line'] + 1}")
            path.write_text(text)
        client.process.stdin.close()
        return trial.summary()


if __name__ == "__main__":
    sys.exit(main())
