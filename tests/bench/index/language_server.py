"""Asks a language server where names are defined."""
import json
import os
import subprocess
import urllib.parse


class Server:
    def __init__(self, command, root):
        self.root = os.path.realpath(root)
        self.process = subprocess.Popen(command, cwd=self.root, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.next_id = 0
        self.call("initialize", {"processId": None, "rootUri": "file://" + self.root,
                                 "capabilities": {"window": {"workDoneProgress": False}}})
        self.send({"jsonrpc": "2.0", "method": "initialized", "params": {}})

    def send(self, message):
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def read(self):
        size = 0
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise EOFError("the server ended")
            if line == b"\r\n":
                break
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        return json.loads(self.process.stdout.read(size))

    def call(self, method, params):
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        while True:
            message = self.read()
            if message.get("id") == self.next_id and "method" not in message:
                return message.get("result")
            if "id" in message and "method" in message:
                items = message.get("params", {}).get("items", []) if isinstance(
                    message.get("params"), dict) else []
                self.send({"jsonrpc": "2.0", "id": message["id"], "result":
                           [None] * len(items) if items else None})

    def open(self, path, language):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
            text = f.read()
        self.send({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": {
            "uri": self.uri(path), "languageId": language, "version": 1, "text": text}}})

    def uri(self, path):
        return "file://" + urllib.parse.quote(os.path.join(self.root, path))

    def definition(self, path, line, column):
        found = self.call("textDocument/definition", {
            "textDocument": {"uri": self.uri(path)},
            "position": {"line": line - 1, "character": column - 1}}) or []
        out = []
        for one in found if isinstance(found, list) else [found]:
            uri = urllib.parse.unquote(one.get("uri") or one.get("targetUri"))[len("file://"):]
            span = one.get("range") or one.get("targetSelectionRange")
            if uri.startswith(self.root + "/"):
                out.append((uri[len(self.root) + 1:], span["start"]["line"] + 1))
        return out


def pairs(command, repo, files, positions, every):
    server = Server(command, repo)
    language = {"h": "cpp", "c": "c", "go": "go"}
    opened, out = set(), []
    for n, (path, line, column) in enumerate(positions):
        if n % max(1, every) != 0:
            continue
        if path not in opened:
            opened.add(path)
            server.open(path, language.get(path.rsplit(".", 1)[-1], "cpp"))
        where = server.definition(path, line, column)
        if where and (path, line) not in where:
            out.append(((path, line, column), where))
    server.process.kill()
    return out
