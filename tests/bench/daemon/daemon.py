#!/usr/bin/env python3
"""What the daemon and its forwarder cost, measured from outside on the real program.

    tests/bench/daemon/daemon.py [--json] [PROGRAM]      PROGRAM: build/release/ambit

Has folders, a repository and a scripted model of its own; takes about half a minute. Times mean something on a quiet machine only.
Exit code 1 when a figure is beyond its limit.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[3]
STEP_MS = 30  # of the scripted generation that is cancelled
SCRIPT = {"rules": [
    {"match": "slow = <｜fim▁hole｜>", "answer": "x" * 90, "token_delay_ms": STEP_MS},
    {"match": "value = <｜fim▁hole｜>", "answer": "the_answer_that_is_typed_letter_by_letter_until_its_end(0);"}]}
TYPED = "the_answer_that_is_typed_letter_by_letter_until_its_end(0)"
TICKS = os.sysconf("SC_CLK_TCK")


class Editor:
    """An LSP client on pipes to `ambit lsp`; one thread."""

    def __init__(self, bench):
        self.process = subprocess.Popen([bench.program, "lsp"], env=bench.environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        self.buffer, self.next_id = b"", 1

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def receive(self):
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if found:
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                if len(rest) >= length:
                    self.buffer = rest[length:]
                    return json.loads(rest[:length])
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                raise EOFError("the server closed its output")
            self.buffer += data

    def ask(self, method, params):
        self.next_id += 1
        self.send({"id": self.next_id, "method": method, "params": params})
        return self.next_id

    def answer(self, number):
        while True:
            message = self.receive()
            if message.get("id") == number and "method" not in message:
                return message

    def call(self, method, params):
        return self.answer(self.ask(method, params))

    def initialize(self, root):
        reply = self.call("initialize", {"processId": os.getpid(), "rootUri": f"file://{root}", "capabilities": {
            "textDocument": {"inlineCompletion": {}}, "general": {"positionEncodings": ["utf-16"]}}})
        self.send({"method": "initialized", "params": {}})
        return reply

    def open(self, uri, text):
        self.send({"method": "textDocument/didOpen", "params": {
            "textDocument": {"uri": uri, "languageId": "cpp", "version": 1, "text": text}}})

    def ghost(self, uri, line, character, trigger=2):
        return self.ask("textDocument/inlineCompletion", {
            "textDocument": {"uri": uri}, "position": {"line": line, "character": character},
            "context": {"triggerKind": trigger}})

    def status(self):
        return self.call("workspace/executeCommand", {"command": "ambit.status"})["result"]

    def leave(self):  # as an editor that is closed: the daemon stays
        self.call("shutdown", None)
        self.send({"method": "exit"})
        self.process.wait(10)


class Bench:
    def __init__(self, program):
        self.program = str(program)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ambit-bench-"))
        for name in ("config/ambit", "cache", "state", "data", "run", "home", "project"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "run").chmod(0o700)
        (self.folder / "script.json").write_text(json.dumps(SCRIPT))
        self.project = self.folder / "project"
        subprocess.run(["git", "init", "-q", self.project], check=True)
        for i in range(200):
            (self.project / f"part{i}.cpp").write_text("".join(f"int part{i}_{j}(int a) {{ return a + {j}; }}\n" for j in range(100)))
        self.environment = {**os.environ, "HOME": f"{self.folder}/home", "AMBIT_MODEL": f"scripted:{self.folder}/script.json"}
        for key, name in (("CONFIG_HOME", "config"), ("CACHE_HOME", "cache"), ("STATE_HOME", "state"), ("DATA_HOME", "data"),
                          ("RUNTIME_DIR", "run")):
            self.environment[f"XDG_{key}"] = f"{self.folder}/{name}"
        self.figures = []

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        subprocess.run([self.program, "stop"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def editor(self):
        editor = Editor(self)
        editor.initialize(self.project)
        return editor

    def uri(self, name):
        return f"file://{self.project}/{name}"

    def indexed(self, editor):
        while any(w["state"] != "ready" for w in editor.status()["workspaces"]):
            time.sleep(0.05)

    def figure(self, name, value, unit, limit):
        self.figures.append({"name": name, "value": round(value, 3), "unit": unit, "limit": limit})

    def initialize_cold(self):
        times = []
        for _ in range(10):
            self.stop()
            start = time.perf_counter()
            editor = Editor(self)
            editor.initialize(self.project)
            times.append(1000 * (time.perf_counter() - start))
            editor.leave()
        times.sort()
        self.figure("initialize, no daemon running: median from the start of `ambit lsp`", times[5], "ms", 50)
        self.figure("initialize, no daemon running: worst of 10", times[-1], "ms", 50)

    def type_through(self):
        editor = self.editor()
        self.indexed(editor)
        uri, filler = self.uri("typed.cpp"), "int filler();\n" * 2000
        times, version = [], 1
        before = None
        for run in range(10):
            text = filler + f"int v{run};\nvalue = "
            line = text.count("\n")
            if run == 0:
                editor.open(uri, text)
            else:
                version += 1
                editor.send({"method": "textDocument/didChange", "params": {
                    "textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}})
            column = len("value = ")
            reply = editor.answer(editor.ghost(uri, line, column, 1))
            assert reply["result"]["items"][0]["insertText"].startswith("value = " + TYPED), reply
            if before is None:
                before = editor.status()["completions"]["from_cache"]
            for letter in TYPED:
                at = {"line": line, "character": column}
                version, column = version + 1, column + 1
                start = time.perf_counter()
                editor.send({"method": "textDocument/didChange", "params": {
                    "textDocument": {"uri": uri, "version": version},
                    "contentChanges": [{"range": {"start": at, "end": at}, "text": letter}]}})
                reply = editor.answer(editor.ghost(uri, line, column))
                times.append(1000 * (time.perf_counter() - start))
                assert reply["result"]["items"][0]["insertText"].startswith("value = " + TYPED), reply
        hits = editor.status()["completions"]["from_cache"] - before
        assert hits == len(times), (hits, len(times))
        times.sort()
        self.figure(f"type-through, change and answer at the pipe, {len(times)} keys: median", times[len(times) // 2], "ms", 5)
        self.figure(f"type-through, change and answer at the pipe, {len(times)} keys: 99th percentile",
                    times[len(times) * 99 // 100], "ms", 5)
        editor.leave()

    def cancel(self):
        editor = self.editor()
        editor.open(self.uri("slow.cpp"), "slow = ")
        replies, idle = [], []
        for _ in range(10):
            number = editor.ghost(self.uri("slow.cpp"), 0, 7, 1)
            while not any(entry["running"] for entry in editor.status()["queue"]):
                pass
            time.sleep(3.5 * STEP_MS / 1000)  # in the midst of the answer
            start = time.perf_counter()
            editor.send({"method": "$/cancelRequest", "params": {"id": number}})
            assert editor.answer(number)["error"]["code"] == -32800
            replies.append(1000 * (time.perf_counter() - start))
            while editor.status()["queue"]:
                pass
            idle.append(1000 * (time.perf_counter() - start))
        self.figure("$/cancelRequest: until the reply, worst of 10", max(replies), "ms", STEP_MS)
        self.figure("$/cancelRequest: until the model is idle, worst of 10", max(idle), "ms", STEP_MS)
        editor.leave()

    def memory(self):
        editors = [self.editor()]
        self.indexed(editors[0])
        pid = editors[0].status()["pid"]

        def use(editor, number):
            # What a window has: some open files, one of them being written.
            for i in range(10):
                editor.open(self.uri(f"part{i}.cpp"), (self.project / f"part{i}.cpp").read_text() + f"// {number}\n")
            editor.open(self.uri(f"new{number}.cpp"), "value = ")
            editor.answer(editor.ghost(self.uri(f"new{number}.cpp"), 0, 8, 1))

        use(editors[0], 0)
        first = rss(pid)
        for number in range(1, 8):
            editors.append(self.editor())
            use(editors[-1], number)
        self.figure("the daemon with one session, 200 files", first, "MiB", 300)
        self.figure("each further session, of eight", (rss(pid) - first) / 7, "MiB", 50)
        self.figure("the forwarder, largest of eight", max(rss(e.process.pid) for e in editors), "MiB", 10)
        for _ in range(20):  # what the opened files gave to do
            used = cpu(pid)
            time.sleep(1)
            if cpu(pid) == used:
                break
        time.sleep(5)
        self.figure("the daemon, eight sessions, nobody types", 100 * (cpu(pid) - used) / 5, "% CPU", 0.5)
        for editor in editors:
            editor.leave()
        used = cpu(pid)
        time.sleep(5)
        self.figure("the daemon after the last session ended", 100 * (cpu(pid) - used) / 5, "% CPU", 0.5)

    def kill(self):
        self.stop()
        # An editor is a process that holds the pipes: one of its own, with the model loaded.
        out, into = os.pipe()
        window = os.fork()
        if window == 0:
            editor = self.editor()
            editor.open(self.uri("new.cpp"), "value = ")
            editor.answer(editor.ghost(self.uri("new.cpp"), 0, 8, 1))
            status = editor.status()
            os.write(into, json.dumps([editor.process.pid, status["engine"]["pid"], status["pid"]]).encode())
            time.sleep(60)
            os._exit(0)
        pids = json.loads(os.read(out, 1000))
        start = time.perf_counter()
        os.kill(window, signal.SIGKILL)
        os.waitpid(window, 0)
        for name, pid in zip(("the forwarder", "the model's process", "the daemon"), pids):
            self.figure(f"kill -9 of the editor: until {name} is gone", 1000 * gone(pid, start), "ms", 2000)


def gone(pid, start):
    while alive(pid) and time.perf_counter() - start < 20:
        time.sleep(0.005)
    return time.perf_counter() - start


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def rss(pid):
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main():
    arguments = [a for a in sys.argv[1:] if a != "--json"]
    if any(a.startswith("-") for a in arguments) or len(arguments) > 1:
        sys.exit(__doc__)
    bench = Bench(pathlib.Path(arguments[0] if arguments else TOP / "build/release/ambit").resolve())
    try:
        for part in (bench.initialize_cold, bench.type_through, bench.cancel, bench.memory, bench.kill):
            part()
    finally:
        bench.close()
    if "--json" in sys.argv:
        print(json.dumps(bench.figures, indent=1))
    else:
        for f in bench.figures:
            over = "  BEYOND ITS LIMIT" if f["value"] > f["limit"] else ""
            print(f"{f['value']:9.2f} {f['unit']:6} (limit {f['limit']:g})  {f['name']}{over}")
    return 1 if any(f["value"] > f["limit"] for f in bench.figures) else 0


if __name__ == "__main__":
    sys.exit(main())
