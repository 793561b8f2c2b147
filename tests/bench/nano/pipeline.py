"""What a user sees: completions of a running daemon at real holes, by the setting completion.memory.

    python3 pipeline.py CASES.jsonl PROJECTS_FOLDER BUILD_FOLDER [MODEL_FOLDER] [SETTING…]

CASES.jsonl is what `completion_bench candidates COUNT PROJECT…` printed for folders of
PROJECTS_FOLDER; BUILD_FOLDER holds `ambit` and `parse_errors`. For each SETTING (off: the model
alone; lead: the memory alone) one JSON line: cases, share shown, exact of all and of
shown, similarity of what is shown, share of shown that parses (no more grammar errors than the file has
with the true text; what ends before the line does is seldom among these), share that adds errors (more than without it
and more than the truth), share that keeps the file parsing, of what is shown where it parses as well without anything as with
the true text; median and 95th percentile of the daemon's own milliseconds. Exact:
the first line of the completion is the hidden rest of the line. A completion is asked for by hand,
and `typing` counts those that would show while typing, too.
"""

import collections
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evaluate import Asked, similarity

TYPING = 0.35  # kShowWhileTyping of daemon/assists/completion/memory.h


class Daemon:
    def __init__(self, build: str, model: str, memory: str):
        self.home = tempfile.mkdtemp()
        os.mkdir(self.home + "/run", 0o700)
        env = dict(os.environ, XDG_RUNTIME_DIR=self.home + "/run", XDG_CONFIG_HOME=self.home, XDG_STATE_HOME=self.home,
                   XDG_CACHE_HOME=self.home, XDG_DATA_HOME=self.home, AMBIT_COMPLETION_MEMORY=memory)
        if model:
            env["AMBIT_MODEL"] = model
        self.process = subprocess.Popen([build + "/ambit", "serve", "--foreground"], env=env,
                                        stderr=open(self.home + "/log", "w"), stdout=subprocess.DEVNULL)
        for _ in range(200):
            found = list(Path(self.home, "run").rglob("*.sock"))
            if found:
                break
            time.sleep(0.05)
        else:
            raise SystemExit("pipeline.py: the daemon does not listen: " + open(self.home + "/log").read())
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(found[0]))
        self.file, self.number = self.socket.makefile("rb"), 0

    def ask(self, method: str, params: dict) -> dict:
        self.number += 1
        body = json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        while True:
            length = 0
            while (line := self.file.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answer = json.loads(self.file.read(length))
            if answer.get("id") == self.number and "method" not in answer:
                return answer

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.home)


def measure(cases: list[dict], root: Path, build: str, model: str, setting: str) -> dict:
    daemon, errors = Daemon(build, model, setting), Asked(build + "/parse_errors")
    s, times, kinds = collections.Counter(), [], collections.defaultdict(collections.Counter)
    for c in cases:
        answer = daemon.ask("ambit/complete", {"path": str(root / c["repository"] / c["path"]), "items": 1,
                                               "text": c["before"] + c["after"], "offset": len(c["before"].encode())})
        result = answer.get("result", {"items": []})
        if "receipt" in result:
            times.append(result["receipt"]["total_ms"])
        for k in (s, kinds[c["kind"]]):
            k["cases"] += 1
        if not result["items"]:
            continue
        item = result["items"][0]
        right = item["text"].split("\n")[0].rstrip() == c["hidden"].rstrip()
        made, true, without = (errors({"path": c["path"], "text": c["before"] + t + c["after"]})
                               for t in (item["text"], c["hidden"], ""))
        typing = setting != "off" and item["logprob"] >= math.log(TYPING)
        for k in (s, kinds[c["kind"]]):
            k["shown"] += 1
            k["exact"] += right
            k["parses"] += made <= true
            k["adds_errors"] += made > max(true, without)
            k["sound"] += without <= true
            k["kept"] += made <= without <= true
            k["similarity"] += similarity(item["text"].split("\n")[0], c["hidden"])
            k["typing"] += typing
            k["typing_exact"] += typing and right
            k["typing_parses"] += typing and made <= true
    daemon.close()
    share = lambda a, b: round(a / b, 3) if b else None
    times.sort()
    return {"memory": setting, "cases": s["cases"], "shown": share(s["shown"], s["cases"]),
            "exact": share(s["exact"], s["cases"]), "exact_of_shown": share(s["exact"], s["shown"]),
            "similarity_of_shown": share(s["similarity"], s["shown"]), "parses": share(s["parses"], s["shown"]),
            "adds_errors": share(s["adds_errors"], s["shown"]),
            "keeps_parsing": {"shown": s["sound"], "share": share(s["kept"], s["sound"])},
            "typing": {"shown": share(s["typing"], s["cases"]), "exact_of_shown": share(s["typing_exact"], s["typing"]),
                       "exact": share(s["typing_exact"], s["cases"]), "parses": share(s["typing_parses"], s["typing"])},
            "exact_by_kind": {n: share(k["exact"], k["cases"]) for n, k in kinds.items()},
            "ms": {"median": times[len(times) // 2], "p95": times[int(len(times) * 0.95)]} if times else None}


def main() -> int:
    if len(sys.argv) < 4:
        print("usage: pipeline.py CASES.jsonl PROJECTS_FOLDER BUILD_FOLDER [MODEL_FOLDER] [SETTING...]", file=sys.stderr)
        return 2
    file, root, build = sys.argv[1], Path(sys.argv[2]).resolve(), sys.argv[3]
    model, settings = (sys.argv[4:5] or [""])[0], sys.argv[5:] or ["off", "lead"]
    cases = [json.loads(line) for line in open(file)]
    for name in {c["repository"] for c in cases}:
        if not (root / name / ".git").exists():
            subprocess.run(["git", "init", "-q", str(root / name)], check=True)
    for setting in settings:
        print(json.dumps(measure(cases, root, build, model, setting)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
