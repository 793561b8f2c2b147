#!/usr/bin/env python3
"""Real edits of real commits typed key by key through `ambit lsp`, as an editor sends them.

typing_session.py AMBIT REPOSITORY [--commits N] [--stride S] [--keys N] [--gap MS] [--accept] [--set KEY=VALUE]... [--out F]

For each commit (newest first, every S-th, one hunk of at least three inserted lines of a modified file) the tree goes to its
parent, the file is opened, the hunk's old lines are deleted and the inserted ones are typed: each key is a didChange and a request
for ghost text, the next key comes after --gap milliseconds and cancels what was not answered; with --patient it comes that long
after the last is answered, so that a busy machine changes the latencies and little else. Indentation of a new line comes with
its line break, as editors do it. With --accept an item that is exactly what comes next is taken whole.

Printed: latency from key to ghost text, the share of keys answered and where from, tokens computed per request (ambit.status), and
what must not happen: ghost text for another state of the document, a line that stands below already, a closer too many.
"""
import argparse, json, os, queue, random, re, shutil, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../context"))
import packbench


class Editor:
    """A client of `ambit lsp`; replies are read on a thread and stamped when they arrive."""

    def __init__(self, ambit, environment, root):
        self.process = subprocess.Popen([ambit, "lsp", "--stdio"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.next_id, self.replies, self.lock, self.news = 0, {}, threading.Lock(), threading.Condition()
        self.progress = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.call("initialize", {"processId": None, "rootUri": "file://" + root, "capabilities": {
            "textDocument": {"inlineCompletion": {}, "synchronization": {}}, "window": {"workDoneProgress": True},
            "general": {"positionEncodings": ["utf-16"]}}})
        self.notify("initialized", {})

    def send(self, message):
        body = json.dumps(message).encode()
        with self.lock:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.process.stdin.flush()

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method, params):
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        return self.next_id

    def read(self):
        out = self.process.stdout
        while line := out.readline():
            size = 0
            while line != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
                line = out.readline()
            message = json.loads(out.read(size))
            now = time.monotonic()
            if "method" in message and "id" in message:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
            elif "method" in message:
                if message["method"] == "$/progress":
                    self.progress.put(message["params"])
            else:
                with self.news:
                    self.replies[message["id"]] = (now, message)
                    self.news.notify_all()

    def reply(self, number, seconds):
        """(when, message) or None when it has not come in time."""
        with self.news:
            self.news.wait_for(lambda: number in self.replies, seconds)
            return self.replies.pop(number, None)

    def call(self, method, params, seconds=30):
        answer = self.reply(self.request(method, params), seconds)
        if not answer:
            sys.exit(f"typing_session: no answer to {method}")
        return answer[1].get("result")

    def status(self):
        return self.call("workspace/executeCommand", {"command": "ambit.status"})

    def end(self):
        self.call("shutdown", None)
        self.notify("exit", None)
        self.process.wait(20)


def utf16(text):
    return len(text.encode("utf-16-le")) // 2


def position(text, offset):
    line = text.count("\n", 0, offset)
    return {"line": line, "character": utf16(text[text.rfind("\n", 0, offset) + 1:offset])}


def keys_of(lines):
    """What each key inserts: characters; a line break brings the next line's indentation."""
    keys = []
    for i, line in enumerate(lines):
        indent = re.match(r"[ \t]*", line)[0]
        keys.append(("\n" if i else "") + indent)
        keys += line[len(indent):]
    keys.append("\n")
    return [k for k in keys if k]


def surplus_closers(text):
    stack, surplus = [], 0
    for c in re.sub(r"'(\\.|[^'\\\n])*'|\"(\\.|[^\"\\\n])*\"|//.*|#.*", "", text):
        if c in "([{":
            stack.append(c)
        elif c in ")]}":
            # A line that is being typed has open brackets; what closes a block around it is no surplus.
            opener = "([{"[")]}".index(c)]
            if opener in stack:
                del stack[len(stack) - 1 - stack[::-1].index(opener):]
            else:
                surplus += 1
    return surplus


class Session:
    def __init__(self, editor, root, path, gap, accept, patient=False, counted=False):
        self.editor, self.gap, self.accept, self.patient, self.counted = editor, gap / 1000, accept, patient, counted
        self.cached = editor.status()["completions"]["from_cache"] if counted else 0
        self.uri = "file://" + os.path.join(root, path)
        with open(os.path.join(root, path), encoding="utf-8", newline="") as f:
            self.text = f.read()
        self.version, self.rows, self.bad = 1, [], []
        editor.notify("textDocument/didOpen", {"textDocument": {"uri": self.uri, "languageId": "", "version": 1, "text": self.text}})

    def edit(self, start, end, new):
        self.version += 1
        self.editor.notify("textDocument/didChange", {"textDocument": {"uri": self.uri, "version": self.version}, "contentChanges": [
            {"range": {"start": position(self.text, start), "end": position(self.text, end)}, "text": new}]})
        self.text = self.text[:start] + new + self.text[end:]

    def ask(self, cursor, seconds):
        sent = time.monotonic()
        number = self.editor.request("textDocument/inlineCompletion", {
            "textDocument": {"uri": self.uri}, "position": position(self.text, cursor), "context": {"triggerKind": 2}})
        answer = self.editor.reply(number, seconds)
        if answer is None:
            self.editor.notify("$/cancelRequest", {"id": number})
            return None, seconds * 1000
        return answer[1], (answer[0] - sent) * 1000

    def judge(self, cursor, item):
        """The text that the item adds at the cursor; notes what must not be."""
        line_start = self.text.rfind("\n", 0, cursor) + 1
        before = self.text[line_start:cursor]
        if item["range"]["start"] != position(self.text, line_start) or not item["insertText"].startswith(before):
            self.bad.append(("stale", before, item["insertText"]))
            return ""
        end = item["range"]["end"]
        replaced = end["character"] - position(self.text, cursor)["character"]
        added = item["insertText"][len(before):]
        after = self.text[cursor + replaced:]
        whole = self.text[:cursor] + added + after
        # What the typed line left open may hide a closer that was too many before.
        without = surplus_closers(self.text[:line_start] + after)
        if surplus_closers(whole) > max(surplus_closers(self.text), without):
            self.bad.append(("closer", before, added))
        below = next((l.strip() for l in after.split("\n")[1:] if l.strip()), "")
        last = (before + added).split("\n")[-1].strip()
        if len(below) >= 6 and re.search(r"\w", below) and last == below:
            self.bad.append(("repeats", before, added))
        return added

    def type(self, at, old_count, lines, most):
        starts = [0]
        for m in re.finditer("\n", self.text):
            starts.append(m.end())
        cursor = starts[min(at, len(starts) - 1)]
        end = starts[min(at + old_count, len(starts) - 1)]
        if end > cursor:
            self.edit(cursor, end, "")
        # A line is opened first, as editors do it; its break is the last key.
        self.edit(cursor, cursor, "\n")
        keys = keys_of(lines)[:-1]
        rest, i = "".join(keys), 0
        typed = 0
        while i < len(keys) and typed < most:
            self.edit(cursor, cursor, keys[i])
            cursor += len(keys[i])
            rest = rest[len(keys[i]):]
            i += 1
            typed += 1
            began = time.monotonic()
            answer, ms = self.ask(cursor, 30 if self.patient else self.gap)
            row = {"ms": ms, "kind": "late", "key": keys[i - 1], "line": self.text[self.text.rfind("\n", 0, cursor) + 1:cursor],
                   "rest": rest.split("\n")[0]}
            if answer is not None:
                result = answer.get("result")
                items = result.get("items", []) if isinstance(result, dict) else []
                row["kind"] = "error" if "error" in answer else "item" if items else "empty"
                if items:
                    added = row["item"] = self.judge(cursor, items[0])
                    row["useful"] = bool(added) and rest.startswith(added.split("\n")[0]) and len(added.split("\n")[0]) > 2
                    if self.accept and row["useful"] and rest.startswith(added) and not re.match(r"[ \t]*\S", rest[len(added):]):
                        row["accepted"] = len(added)
                        self.edit(cursor, cursor, added)
                        cursor += len(added)
                        rest = rest[len(added):]
                        keys = keys[:i] + list(rest)  # what is left, key by key
            if self.counted:
                now = self.editor.status()["completions"]["from_cache"]
                row["from_cache"], self.cached = now > self.cached, now
            self.rows.append(row)
            time.sleep(self.gap if self.patient else max(0, self.gap - (time.monotonic() - began)))

    def close(self):
        self.editor.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})


def edits(tree, wanted, stride):
    """(parent, path, line, old lines, inserted lines)"""
    out = 0
    for commit in packbench.commits(tree, stride):
        if out >= wanted:
            return
        if len(packbench.text(tree, "log", "-1", "--format=%P", commit).split()) != 1:
            continue
        changed, inserted = packbench.hunks(tree, commit)
        if inserted > 200:
            continue
        diff = packbench.text(tree, "diff", "-U0", "--no-renames", "--diff-filter=M", "--no-color", commit + "^", commit)
        olds = {}
        path = None
        for line in diff.split("\n"):
            if line.startswith("+++ "):
                path = line[6:] if line.startswith("+++ b/") else None
            elif (m := packbench.HUNK.match(line)) and path:
                olds[(path, int(m[3]) - 1)] = int(m[2] or 1)
        found = [(p, at, olds.get((p, new), 0), lines) for p, hs in changed.items() if os.path.splitext(p)[1] in packbench.CODE
                 for at, new, lines in hs if len(lines) >= 3 and sum(len(l) for l in lines) > 60]
        if found:
            out += 1
            yield (commit + "^",) + random.Random(commit).choice(found)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("ambit")
    p.add_argument("repository")
    p.add_argument("--commits", type=int, default=5)
    p.add_argument("--stride", type=int, default=5)
    p.add_argument("--keys", type=int, default=150, help="at most so many a commit")
    p.add_argument("--gap", type=float, default=150, help="milliseconds between keys")
    p.add_argument("--warm", type=float, default=60, help="seconds to wait for the warm prefix")
    p.add_argument("--accept", action="store_true")
    p.add_argument("--patient", action="store_true", help="wait for each answer, up to 30 s")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    p.add_argument("--show", type=int, default=0, help="print so many of what must not be")
    p.add_argument("--out", help="a JSON line for each key")
    args = p.parse_args()
    work = tempfile.mkdtemp(prefix="typing.")
    environment = dict(os.environ)
    for name in ("config", "cache", "state", "data", "runtime"):
        os.makedirs(f"{work}/{name}/ambit")
        environment["XDG_" + name.upper() + ("_DIR" if name == "runtime" else "_HOME")] = f"{work}/{name}"
    os.chmod(f"{work}/runtime", 0o700)
    with open(f"{work}/config/ambit/config.toml", "w") as f:
        for pair in args.set:
            key, _, value = pair.partition("=")
            f.write(f"{key} = {value if re.fullmatch(r'[0-9.]+|true|false', value) else json.dumps(value)}\n")
    tree = work + "/tree"
    subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", args.repository, tree], check=True)
    rows, bad, editor = [], [], None
    try:
        for parent, path, at, old, lines in edits(tree, args.commits, args.stride):
            subprocess.run(["git", "-C", tree, "checkout", "-q", "--detach", "--force", parent], check=True)
            if editor is None:
                editor = Editor(os.path.abspath(args.ambit), environment, tree)
            session = Session(editor, tree, path, args.gap, args.accept, args.patient, bool(args.out))
            opened = time.monotonic()
            while time.monotonic() < opened + args.warm:
                status = editor.status()
                ready = all(w["state"] == "ready" for w in status["workspaces"]) and status["model"]["state"] in ("ready", "unavailable")
                ready = ready and all(w["memory"] in ("ready", "off") for w in status["workspaces"])
                # A daemon whose model is not asked has no warm prefix at all; one whose model is has it soon.
                missing = "off" if time.monotonic() > opened + 3 else ""
                if ready and all((w.get("warm") or {"state": missing})["state"] in ("warm", "off") for w in status["workspaces"]):
                    break
                time.sleep(0.1)
            else:
                print("typing_session: not ready in time:", [(w["state"], w["memory"], w["warm"]) for w in status["workspaces"]], file=sys.stderr)
            session.type(at, old, lines, args.keys)
            session.close()
            rows += session.rows
            bad += session.bad
        status = editor.status()
        editor.end()
    finally:
        subprocess.run([args.ambit, "stop"], env=environment, capture_output=True)
        shutil.rmtree(work, ignore_errors=True)
    if not rows:
        sys.exit("typing_session: no edit was found")
    if args.out:
        with open(args.out, "w") as f:
            f.writelines(json.dumps(r) + "\n" for r in rows)
    items = [r["ms"] for r in rows if r["kind"] == "item"]
    kinds = {k: sum(r["kind"] == k for r in rows) for k in ("item", "empty", "late", "error")}
    print(f"{len(rows)} keys: " + ", ".join(f"{n} {k} ({100 * n / len(rows):.0f} %)" for k, n in kinds.items()))
    print(f"key to ghost text: p50 {percentile(items, 0.5):.1f} ms, p95 {percentile(items, 0.95):.1f} ms")
    print(f"useful: {sum(bool(r.get('useful')) for r in rows)}, accepted: {sum('accepted' in r for r in rows)}")
    print("status: " + json.dumps({k: status[k] for k in ("completions", "last_empty_answers")}))
    print("warm: " + json.dumps([w.get("warm") for w in status["workspaces"]]))
    print("must not be: " + ", ".join(f"{sum(b[0] == k for b in bad)} {k}" for k in ("stale", "closer", "repeats")))
    for b in bad[:args.show]:
        print("  ", b)


if __name__ == "__main__":
    main()
