#!/usr/bin/env python3
"""How right is the index? Compares what `ambit index` says of a repository with an oracle that was
written independently of it.

    oracle.py definitions REPO --language go                      against universal-ctags
    oracle.py definitions REPO --language python --scip F.scip    against a SCIP index
    oracle.py goto REPO --language typescript --scip F.scip       first answer of go-to-definition
    oracle.py goto REPO --language cpp --server "clangd ..."      against a language server
    oracle.py goto REPO --language rust --pairs F.jsonl           against pairs somebody else made
    oracle.py references REPO --language java --pairs F.jsonl     recall of uses, by name

Definitions are compared by (path, line, name). A difference is put into a class by differences.py:
a convention of the oracle (it counts what is no definition to us, or the reverse), an error of the
oracle, or our error. Printed: raw recall and precision (every difference counts against us), the
same without conventions and oracle errors, and the classes. --show N prints N examples of each.
Needs `ambit` on PATH or $AMBIT. Nothing is written into the repository that is looked at.
"""
import argparse
import collections
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import differences  # noqa: E402
import language_server  # noqa: E402
import scip  # noqa: E402

AMBIT = os.environ.get("AMBIT", "ambit")
# Language ids of ambit, names of ctags, extensions.
LANGUAGES = {
    "c": ("C", ("c", "h")),
    "cpp": ("C++", ("cc", "cpp", "cxx", "h", "hh", "hpp")),
    "python": ("Python", ("py",)),
    "javascript": ("JavaScript", ("js", "mjs", "cjs")),
    "typescript": ("TypeScript", ("ts",)),
    "go": ("Go", ("go",)),
    "rust": ("Rust", ("rs",)),
    "java": ("Java", ("java",)),
    "csharp": ("C#", ("cs",)),
    "ruby": ("Ruby", ("rb",)),
    "php": ("PHP", ("php",)),
    "kotlin": ("Kotlin", ("kt", "kts")),
    "lua": ("Lua", ("lua",)),
    "bash": ("Sh", ("sh", "bash")),
}


def run(command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout


def files_of(repo, language):
    extensions = LANGUAGES[language][1]
    names = run(["git", "-C", repo, "ls-files", "-z"]).decode("utf-8", "replace").split("\0")
    return sorted(n for n in names if n.rsplit(".", 1)[-1] in extensions
                  and os.path.isfile(os.path.join(repo, n))
                  and not os.path.islink(os.path.join(repo, n)))


def ours(repo):
    out = []
    for line in run([AMBIT, "index", "symbols", repo, "--format", "jsonl"]).splitlines():
        d = json.loads(line)
        out.append((d["path"], d["line"], d["name"], d["kind"], d["scope"]))
    return out


def ctags(repo, language, files):
    name = LANGUAGES[language][0]
    command = ["ctags", "--options=NONE", "--output-format=json", "--fields=+nKS",
               "--sort=no", "--extras=-{anonymous}", "--languages=" + name, "-f", "-", "-L", "-"]
    if name in ("C", "C++"):
        command[2:2] = ["--kinds-%s=+px" % name, "--map-%s=+.h" % name]
    text = run(command, cwd=repo, input="\n".join(files).encode(), stderr=subprocess.DEVNULL)
    out = []
    for line in text.splitlines():
        d = json.loads(line)
        if d.get("_type") == "tag":
            out.append((d["path"], d["line"], d["name"], d.get("kind", ""), d.get("scope", "")))
    return out


class Sources:
    """Lines of files, read once."""

    def __init__(self, repo):
        self.repo, self.cache = repo, {}

    def lines(self, path):
        if path not in self.cache:
            with open(os.path.join(self.repo, path), "rb") as f:
                self.cache[path] = f.read().decode("utf-8", "replace").split("\n")
        return self.cache[path]

    def line(self, path, number):
        lines = self.lines(path)
        return lines[number - 1] if 0 < number <= len(lines) else ""


def print_classes(title, groups, sources, show):
    print(f"  {title}")
    for name, items in sorted(groups.items(), key=lambda e: -len(e[1])):
        print(f"    {len(items):6d}  {name}")
        for path, line, what, kind, *_ in items[:show]:
            print(f"              {path}:{line}: {what} [{kind}]  "
                  f"{sources.line(path, line).strip()[:90]}")


def definitions(arguments):
    repo, language = arguments.repo, arguments.language
    sources = Sources(repo)
    files = set(files_of(repo, language))
    if arguments.scip:
        gold = scip.definitions(arguments.scip, sources)
        oracle = "scip"
        files &= {g[0] for g in gold}
    else:
        gold, oracle = ctags(repo, language, sorted(files)), "ctags"
    gold = [g for g in gold if g[0] in files]
    mine = [m for m in ours(repo) if m[0] in files]
    gold_keys = {g[:3] for g in gold}
    mine_keys = {m[:3] for m in mine}
    missed, extra = collections.defaultdict(list), collections.defaultdict(list)
    for g in {g[:3]: g for g in gold if g[:3] not in mine_keys}.values():
        missed[differences.missed(language, oracle, g, sources, mine_keys)].append(g)
    for m in {m[:3]: m for m in mine if m[:3] not in gold_keys}.values():
        extra[differences.extra(language, oracle, m, sources, gold_keys)].append(m)
    excused = lambda groups: sum(len(v) for k, v in groups.items() if not k.startswith("OURS"))
    n_gold, n_mine = len(gold_keys), len(mine_keys)
    both = len(gold_keys & mine_keys)
    miss, more = n_gold - both, n_mine - both
    ratio = lambda a, b: a / b if b else 1.0
    print(f"{language} {os.path.basename(os.path.abspath(repo))} against {oracle}: "
          f"{len(files)} files, {n_gold} definitions of the oracle, {n_mine} of ours")
    print(f"  raw       recall {ratio(both, n_gold):.3f}  precision {ratio(both, n_mine):.3f}")
    miss_ours, more_ours = miss - excused(missed), more - excused(extra)
    print(f"  classified recall {ratio(both, both + miss_ours):.3f}  "
          f"precision {ratio(n_mine - more_ours, n_mine):.3f}")
    print_classes("the oracle has, we do not:", missed, sources, arguments.show)
    print_classes("we have, the oracle does not:", extra, sources, arguments.show)


def goto(arguments):
    repo, language = arguments.repo, arguments.language
    sources = Sources(repo)
    if arguments.scip:
        pairs = scip.pairs(arguments.scip, sources, arguments.locals)
    elif arguments.pairs:
        with open(arguments.pairs, encoding="utf-8") as f:
            pairs = [json.loads(line) for line in f]
        pairs = [(tuple(p["from"]), [tuple(t) for t in p["to"]]) for p in pairs]
    else:
        pairs = language_server.pairs(arguments.server.split(), repo, files_of(repo, language),
                                      ours_references(repo, language), arguments.every)
        if arguments.save:
            with open(arguments.save, "w", encoding="utf-8") as f:
                f.writelines(json.dumps({"from": a, "to": b}) + "\n" for a, b in pairs)
    files = set(files_of(repo, language))
    pairs = [p for p in pairs if p[0][0] in files][:: max(1, arguments.every if arguments.scip
                                                              or arguments.pairs else 1)]
    asked = "".join(f"{os.path.join(os.path.abspath(repo), f)}:{line}:{column}\n"
                    for (f, line, column), _ in pairs)
    answers = run([AMBIT, "index", "definition", "--stdin", repo, "--format", "jsonl"],
                  input=asked.encode()).splitlines()
    assert len(answers) == len(pairs), (len(answers), len(pairs))
    first = five = none = excused = 0
    wrong = collections.defaultdict(list)
    for ((path, line, column), gold), answer in zip(pairs, answers):
        found = [(d["path"], d["line"]) for d in json.loads(answer)["definitions"]]
        gold = {tuple(g) for g in gold}
        if found and found[0] in gold:
            first += 1
        if gold & set(found[:5]):
            five += 1
        if not found:
            none += 1
        if not found or found[0] not in gold:
            word = sources.line(path, line)[column - 1:column + 30]
            told = found[0] if found else None
            name = differences.goto(language, (path, line), column, told, gold, found, sources)
            excused += not name.startswith("OURS")
            wrong[name].append((path, line, f"{word!r} gold {sorted(gold)[0]} we {told}", ""))
    n = max(1, len(pairs))
    print(f"{language} {os.path.basename(os.path.abspath(repo))}: {len(pairs)} uses; first answer "
          f"right {first / n:.3f} (without the oracle's conventions "
          f"{first / max(1, n - excused):.3f}), in the first five {five / n:.3f}, "
          f"no answer {none / n:.3f}")
    print_classes("wrong first answers:", wrong, sources, arguments.show)


def references(arguments):
    """How many of the oracle's uses of 150 names (a random choice) the index has. Oracles count as
    uses what declares the name again (a prototype, self.x = … in a second method): the index lists
    those with --declarations, as an editor asks with includeDeclaration."""
    import random
    import re
    repo = arguments.repo
    sources = Sources(repo)
    if arguments.scip:
        uses = [p[0] for p in scip.pairs(arguments.scip, sources, False)]
    else:
        with open(arguments.pairs, encoding="utf-8") as f:
            uses = [tuple(json.loads(line)["from"]) for line in f]
    by_name = collections.defaultdict(set)
    for path, line, column in uses:
        rest = sources.line(path, line).encode()[column - 1:].decode("utf-8", "replace")
        word = re.match(r"[\w$]+", rest)
        if word and word.group() not in ("this", "super", "self"):
            by_name[word.group()].add((path, line, column))
    names = sorted(by_name)
    random.Random(1).shuffle(names)
    missed = collections.defaultdict(list)
    asked = declared = excused = 0
    for name in names[:150]:
        told = run([AMBIT, "index", "refs", name, repo, "--declarations", "--format", "jsonl"])
        have = {(d["path"], d["line"], d["col"]): d["kind"]
                for d in map(json.loads, told.splitlines())}
        asked += len(by_name[name])
        for use in sorted(by_name[name]):
            if use not in have:
                kind = differences.missed_use(sources.line(*use[:2]), name)
                excused += not kind.startswith("OURS")
                missed[kind].append((use[0], use[1], name, ""))
            elif have[use] in ("definition", "declaration"):
                declared += 1
    gone = sum(map(len, missed.values()))
    print(f"{arguments.language} {os.path.basename(os.path.abspath(repo))}: {asked} uses of "
          f"{min(150, len(names))} names; recall {(asked - gone) / max(1, asked):.3f} "
          f"(without the oracle's conventions {(asked - gone) / max(1, asked - excused):.3f}, "
          f"without declarations {(asked - gone - declared) / max(1, asked):.3f})")
    print_classes("missed:", missed, sources, arguments.show)


def ours_references(repo, language):
    """Positions worth asking a server about: every identifier of the language's files."""
    import re
    word = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
    sources = Sources(repo)
    for path in files_of(repo, language):
        in_comment = False
        for number, line in enumerate(sources.lines(path), 1):
            # Names inside of an include or an import are files and packages.
            bare = "" if re.match(r"\s*#\s*include|^\s+\"[^\"]+\"$", line) else line.split("//")[0]
            if "/*" in bare:
                in_comment = "*/" not in bare
                continue
            if in_comment:
                in_comment = "*/" not in bare
                continue
            for m in word.finditer(bare):
                yield path, number, m.start() + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["definitions", "goto", "references"])
    parser.add_argument("repo")
    parser.add_argument("--language", required=True, choices=sorted(LANGUAGES))
    parser.add_argument("--scip")
    parser.add_argument("--server")
    parser.add_argument("--pairs")
    parser.add_argument("--save", help="where to keep what the server said, for --pairs")
    parser.add_argument("--locals", action="store_true", help="also uses of local variables")
    parser.add_argument("--every", type=int, default=1, help="ask about every Nth use only")
    parser.add_argument("--show", type=int, default=0)
    arguments = parser.parse_args()
    {"definitions": definitions, "goto": goto, "references": references}[arguments.what](arguments)


if __name__ == "__main__":
    main()
