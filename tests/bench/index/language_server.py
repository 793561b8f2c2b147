"""Asks a language server where names are defined."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.parse


class Server:
    def __init__(self, command, root):
        self.root = os.path.realpath(root)
        self.process = subprocess.Popen(command, cwd=self.root, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.next_id = 0
        self.opened, self.diagnosed = set(), set()
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
        message = json.loads(self.process.stdout.read(size))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnosed.add(message["params"]["uri"])
        return message

    def answer(self, message):
        """The server's own questions: it gets nothing."""
        if "id" in message and "method" in message:
            parameters = message.get("params")
            items = parameters.get("items", []) if isinstance(parameters, dict) else []
            self.send({"jsonrpc": "2.0", "id": message["id"], "result":
                       [None] * len(items) if items else None})

    def call(self, method, params):
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        while True:
            message = self.read()
            if message.get("id") == self.next_id and "method" not in message:
                return message.get("result")
            self.answer(message)

    def open_all(self, paths):
        """And waits until it has understood them."""
        for path in paths:
            self.open(path, "c" if path.endswith(".c") else "cpp")
            while self.uri(path) not in self.diagnosed:
                self.answer(self.read())

    def open(self, path, language):
        self.opened.add(path)
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



    def names(self, path, line, column):
        """clangd: what its syntax tree has there. Where that is nothing, it guesses by the text."""
        found = self.call("textDocument/symbolInfo", {
            "textDocument": {"uri": self.uri(path)},
            "position": {"line": line - 1, "character": column - 1}}) or []
        return {one.get("name") for one in found}


def compile_commands(repo, files, folder):
    """One command for each C and C++ file: every folder that has headers may be included from."""
    headers = {os.path.dirname(f) for f in files if f.rsplit(".", 1)[-1] in ("h", "hh", "hpp")}
    folders = sorted({os.path.join(repo, *f.split("/")[:n]) if n else repo
                      for f in headers for n in range(f.count("/") + 2) if f})
    flags = [a for f in folders for a in ("-I", f)]
    units = [f for f in files if f.rsplit(".", 1)[-1] in ("c", "cc", "cpp", "cxx")]
    with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as out:
        json.dump([{"directory": repo, "file": os.path.join(repo, f),
                    "arguments": [{"c": "cc"}.get(f.rsplit(".", 1)[-1], "c++"),
                                  *([] if f.endswith(".c") else ["-std=c++17"]),
                                  "-D_GNU_SOURCE", *flags, "-c", f]} for f in units], out)


def pairs(command, repo, files, positions, every):
    """[((path, line, column), [(path, line) of the definition, …])] for every Nth position."""
    repo = os.path.realpath(repo)
    clangd = "clangd" in os.path.basename(command[0])
    folder = tempfile.mkdtemp()
    try:
        if clangd and not os.path.exists(os.path.join(repo, "compile_commands.json")):
            compile_commands(repo, files, folder)
            command = command + ["--compile-commands-dir=" + folder, "--background-index=false"]
        server = Server(command, repo)
        if clangd:  # it knows the bodies in files that are open
            server.open_all([f for f in files if f.rsplit(".", 1)[-1] in ("c", "cc", "cpp", "cxx")])
        return _pairs(server, clangd, positions, every)
    finally:
        shutil.rmtree(folder)


def _pairs(server, clangd, positions, every):
    language = {"h": "cpp", "c": "c", "go": "go", "rs": "rust"}
    out = []
    for n, (path, line, column) in enumerate(positions):
        if n % max(1, every) != 0:
            continue
        if path not in server.opened:
            server.open(path, language.get(path.rsplit(".", 1)[-1], "cpp"))
        where = server.definition(path, line, column)
        if not where or (path, line) in where:
            continue
        if clangd:
            with open(os.path.join(server.root, path), encoding="utf-8", errors="replace") as f:
                text = f.read().split("\n")[line - 1]
            word = re.match(r"\w+", text[column - 1:])
            if not word or word.group() not in server.names(path, line, column):
                continue
        out.append(((path, line, column), where))
    server.process.kill()
    return out
