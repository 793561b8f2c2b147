#!/usr/bin/env python3
"""Seeded faults in real commits: precision and recall of `ambit review` by class.

    mutations.py AMBIT REPOSITORY… [--per-class N] [--seed S] [--out FILE] [--oracle] [--only CLASS,…]

Each case is a real commit, staged on top of its parent as its author did, with one fault put into a
file that it touches. The same commit without the fault is reviewed too: whatever is said about it is
counted as a false finding, since its authors shipped it. A case is found when a finding of the
expected rule comes that the clean commit does not have; every other new finding is false.

--oracle: also the faults that only a reader can see (removed null checks, off-by-one, leaked handles),
by facts alone and with a scripted model that points at the fault among distractors (a line that did not
change, a quote that is not there, a low confidence, a path outside): what the pipeline keeps of it.
Nothing outside a temporary folder is written.
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

CODE = (".py", ".js", ".ts", ".go", ".c", ".h", ".cc", ".cpp", ".hpp", ".cxx")
DEFINITION = {
    ".py": re.compile(r"^def (\w{4,})\((.*?)\)(?: ->.*)?:$"),
    ".js": re.compile(r"^(?:export )?function (\w{4,})\((.*?)\) ?\{$"),
    ".ts": re.compile(r"^(?:export )?function (\w{4,})\((.*?)\).*\{$"),
    ".go": re.compile(r"^func (\w{4,})\((.*?)\).*\{$"),
    ".c": re.compile(r"^(?:static )?[a-z_]\w*(?: ?\*)* ?(\w{4,})\(([^()]*)\) ?\{$"),
}
for _e in (".cc", ".cpp"):
    DEFINITION[_e] = re.compile(r"^(?:static )?[A-Za-z_][\w:<>]*(?: ?[*&])* (\w{4,})\(([^()]*)\) ?\{$")


class Repo:
    def __init__(self, source, base, env):
        self.path = base / pathlib.Path(source).name
        self.env = env
        self.name = pathlib.Path(source).name if pathlib.Path(source).name != "repo" else pathlib.Path(source).parent.name
        if self.path.exists():
            self.path = base / (self.name + str(random.random())[2:8])
        subprocess.run(["git", "clone", "-q", "--no-checkout", source, str(self.path)], check=True, env=env)
        self.git("config", "core.autocrlf", "false")

    def git(self, *words, check=True):
        done = subprocess.run(["git", "-C", str(self.path), *words], capture_output=True, env=self.env)
        if check and done.returncode != 0:
            raise RuntimeError(f"git {words}: {done.stderr.decode()[:200]}")
        return done.stdout.decode("utf-8", "replace")

    def commits(self, n):
        out = []
        for row in self.git("log", "--no-merges", "--format=%H %P", "-n", str(n * 20)).splitlines():
            ids = row.split()
            if len(ids) != 2:
                continue
            files = [f for f in self.git("diff", "--name-only", "--diff-filter=M", ids[1], ids[0]).splitlines()
                     if f.endswith(CODE)]
            if 0 < len(files) <= 8:
                out.append((ids[0], ids[1], files))
            if len(out) >= n:
                break
        return out

    def stage(self, commit, parent):
        self.git("checkout", "-q", "-f", "--detach", parent)
        self.git("clean", "-qfdx")
        self.git("read-tree", "-u", "--reset", commit)

    def read(self, name):
        return (self.path / name).read_text(errors="surrogateescape")

    def write(self, name, text):
        (self.path / name).write_text(text, errors="surrogateescape")
        self.git("add", "--", name)

    def grep(self, name):
        """Calls of a name: (path, line text), without its definitions and comments."""
        rows = []
        for row in self.git("grep", "-nwF", name + "(", "--", *("*" + e for e in CODE), check=False).splitlines():
            path, line, text = row.split(":", 2)
            stripped = text.strip()
            if stripped.startswith(("//", "#", "*", "/*", '"', "'")):
                continue
            rows.append((path, int(line), text))
        return rows


# A mutation gives (rule, what) or None when the file offers no place for it.

def lines_of(repo, file):
    return repo.read(file).split("\n")


def conflict(repo, file, rng):
    rows = lines_of(repo, file)
    at = rng.randrange(len(rows))
    rows[at:at + 1] = ["<<<<<<< HEAD", rows[at], "=======", rows[at] + " ", ">>>>>>> topic"]
    repo.write(file, "\n".join(rows))
    return "conflict-marker"


def secret(repo, file, rng):
    rows = lines_of(repo, file)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    both = letters + letters.lower()
    token = rng.choice(["AKIA" + "".join(rng.choices(letters, k=16)), "ghp_" + "".join(rng.choices(both, k=36))])
    quoted = {".py": f"TOKEN = '{token}'", ".go": f'var token = "{token}"'}
    ext = os.path.splitext(file)[1]
    rows.append(quoted.get(ext, f'const char *token = "{token}";' if ext not in (".js", ".ts") else f"const token = '{token}';"))
    repo.write(file, "\n".join(rows) + "\n")
    return "secret"


def leftover(repo, file, rng):
    ext = os.path.splitext(file)[1]
    rows = lines_of(repo, file)
    if ext == ".py":
        places = [i for i, r in enumerate(rows) if re.match(r"^    \w.*[^:,(\[{\\]$", r) and "import" not in r
                  and i > 0 and re.match(r"^def ", rows[i - 1]) and rows[i - 1].rstrip().endswith(":")]
        if not places:
            return None
        rows.insert(rng.choice(places), rng.choice(["    breakpoint()", "    import pdb; pdb.set_trace()"]))
    elif ext in (".js", ".ts"):
        places = [i for i, r in enumerate(rows) if r.rstrip().endswith("{") and re.match(r"^\s*(function|if|for)", r)]
        if not places:
            return None
        rows.insert(rng.choice(places) + 1, "  debugger;")
    else:
        return None
    repo.write(file, "\n".join(rows))
    return "debug-leftover"


def unbalanced(repo, file, rng):
    ext = os.path.splitext(file)[1]
    rows = lines_of(repo, file)
    if ext == ".h":
        return None
    if ext == ".py":
        places = [i for i, r in enumerate(rows) if re.match(r"^\s*(def|return) .*\)", r) and r.count("(") == r.count(")")
                  and '"' not in r and "'" not in r]
        if not places:
            return None
        at = rng.choice(places)
        cut = rows[at].rindex(")")
        rows[at] = rows[at][:cut] + rows[at][cut + 1:]
    else:
        places = [i for i, r in enumerate(rows) if r.strip() == "}"]
        if not places:
            return None
        del rows[rng.choice(places)]
    repo.write(file, "\n".join(rows))
    return "parse-error"


def functions_of(repo, file, rng, most):
    """Functions at the file's level in random order: (line, match, lines of the file)."""
    ext = os.path.splitext(file)[1]
    if ext not in DEFINITION:
        return
    rows = lines_of(repo, file)
    found = [(i, m) for i, r in enumerate(rows) if (m := DEFINITION[ext].match(r))]
    rng.shuffle(found)
    for i, m in found[:most]:
        if m.group(1) not in ("main", "init", "setup") and not m.group(1).startswith(("test_", "Test")):
            yield i, m, rows


def defined(repo, file, rng):
    """A function of this file that is called elsewhere and defined once."""
    ext = os.path.splitext(file)[1]
    for i, m, _ in functions_of(repo, file, rng, 8):
        name = m.group(1)
        uses = repo.grep(name)
        declares = [u for u in uses if re.match(r"^(?:export |static |extern |inline )*(?:def |function |func |[A-Za-z_][\w:<>]*[ *&]+)" + name + r"\(", u[2])
                    and not re.match(r"^\s*return\b", u[2])]
        calls = [u for u in uses if u not in declares
                 and re.search(r"(?<![\w.>:])" + name + r"\(", u[2]) and '"' not in u[2].split(name)[0]]
        bodies = [u for u in declares if u[2].rstrip().endswith(("{", ":"))]
        if calls and len(bodies) == 1 and all(u[0] == file or u[0].endswith((".h", ".hpp")) for u in declares):
            if ext in (".py", ".js", ".ts") and not any(c[0] == file for c in calls):
                continue
            return i, m, calls, declares
    return None


def each_declaration(repo, declares, change):
    for path, line, _ in declares:
        rows = lines_of(repo, path)
        rows[line - 1] = change(rows[line - 1])
        repo.write(path, "\n".join(rows))


def renamed(repo, file, rng):
    place = defined(repo, file, rng)
    if place is None:
        return None
    _, m, _, declares = place
    name = m.group(1)
    each_declaration(repo, declares, lambda r: re.sub(r"\b" + name + r"\(", name + "_renamed(", r, count=1))
    return "removed-symbol"


def deleted(repo, file, rng):
    place = defined(repo, file, rng)
    if place is None or os.path.splitext(file)[1] != ".py":
        return None
    i, m, calls, _ = place
    rows = lines_of(repo, file)
    end = i + 1
    while end < len(rows) and (not rows[end].strip() or rows[end][0] in " \t)"):
        end += 1
    if any(i < c[1] - 1 < end and c[0] == file for c in calls) and len(calls) == 1:
        return None
    repo.write(file, "\n".join(rows[:i] + rows[end:]))
    return "removed-symbol"


def bodies_of(repo, name):
    """The files that define a function of this name."""
    return {u[0] for u in repo.grep(name) if u[2].rstrip().endswith(("{", ":"))
            and re.match(r"^(?:export |static |async )*(?:def |function |func |[A-Za-z_][\w:<>]*[ *&]+)" + name + r"\(", u[2])}


def module_pattern(file):
    """How an import names this file, as a regular expression; None: nobody can."""
    stem, ext = os.path.splitext(os.path.basename(file))
    if ext == ".py":
        stem = os.path.basename(os.path.dirname(file)) if stem == "__init__" else stem
        return rf"^from \S*\b{re.escape(stem)} import "
    if ext in (".js", ".ts"):
        return rf"^import .*['\"]\.[^'\"]*/{re.escape(stem)}(\.[jt]s)?['\"]"
    return None


def needed(repo, file, name):
    """Lines that cannot do without the function of this file, whoever else has one of its name."""
    ext = os.path.splitext(file)[1]
    if ext == ".go":
        folder = os.path.dirname(file)
        return [u for u in repo.grep(name) if os.path.dirname(u[0]) == folder and not u[2].startswith("func")
                and re.search(r"(?<![\w.])" + name + r"\(", u[2])]
    pattern = module_pattern(file)
    if pattern is None:
        return []
    rows = repo.git("grep", "-nwF", name, "--", "*" + ext, check=False).splitlines()
    return [r for r in rows if re.search(pattern, r.split(":", 2)[2]) and " as " not in r and r.split(":", 1)[0] != file]


def with_homonym(repo, file, rng, homonym):
    ext = os.path.splitext(file)[1]
    for i, m, rows in functions_of(repo, file, rng, 12):
        name = m.group(1)
        others = bodies_of(repo, name) - {file}
        if ext == ".go" and any(os.path.dirname(o) == os.path.dirname(file) for o in others):
            continue
        if homonym and not others:
            continue
        if needed(repo, file, name):
            return i, name, rows
    return None


def renamed_homonym(repo, file, rng):
    """Renamed, its users not, while another file has a function of the old name."""
    place = with_homonym(repo, file, rng, True)
    if place is None:
        return None
    i, name, rows = place
    rows[i] = rows[i].replace(name + "(", name + "_renamed(", 1)
    repo.write(file, "\n".join(rows))
    return "removed-symbol"


def moved(repo, file, rng):
    """A Python function moved to a file beside, those who import it left as they are."""
    place = with_homonym(repo, file, rng, False)
    if place is None or not file.endswith(".py"):
        return None
    i, name, rows = place
    beside = [f for f in repo.git("ls-files", os.path.dirname(file) or ".").splitlines()
              if f.endswith(".py") and os.path.dirname(f) == os.path.dirname(file) and f != file
              and not f.endswith("__init__.py") and name not in repo.read(f)]
    if not beside:
        return None
    end = i + 1
    while end < len(rows) and (not rows[end].strip() or rows[end][0] in " \t)"):
        end += 1
    start = i
    while start > 0 and rows[start - 1].startswith("@"):
        start -= 1
    to = rng.choice(beside)
    repo.write(to, repo.read(to).rstrip("\n") + "\n\n\n" + "\n".join(rows[start:end]).rstrip("\n") + "\n")
    repo.write(file, "\n".join(rows[:start] + rows[end:]))
    return "removed-symbol"


def parameter_renamed(repo, file, rng):
    """A parameter of a Python function gets another name, calls that give it by name do not."""
    if not file.endswith(".py"):
        return None
    rows = lines_of(repo, file)
    found = [(i, m) for i, r in enumerate(rows) if (m := re.match(r"^def (\w{4,})\((.+)\)(?: ->.*)?:$", r))
             and not (i > 0 and rows[i - 1].startswith("@"))]
    rng.shuffle(found)
    for i, m in found[:12]:
        name = m.group(1)
        if name.startswith("test_") or "**" in m.group(2):
            continue
        calls = repo.git("grep", "-hwE", r"(^|[^.\w])" + name + r"\(.*\w=", "--", "*.py", check=False)
        if name not in repo.git("grep", "-hE", "^from .* import .*\\b" + name + "\\b", "--", "*.py", check=False) \
                and not any(name + "(" in r and not r.startswith("def ") for r in rows):
            continue
        for parameter in re.findall(r"(\w+)(?=\s*[:=,]|$)", m.group(2)):
            if re.search(r"(^|[^.\w])" + name + r"\([^()]*\b" + parameter + r"=[^=]", calls.replace("def " + name, "")):
                rows[i] = re.sub(r"\b" + parameter + r"\b", parameter + "_renamed", rows[i], count=1)
                repo.write(file, "\n".join(rows))
                return "changed-signature"
    return None


def more_arguments(repo, file, rng):
    place = defined(repo, file, rng)
    ext = os.path.splitext(file)[1]
    if place is None or ext in (".js",):
        return None
    _, m, calls, declares = place
    name, parameters = m.group(1), m.group(2).strip()
    if "*" in parameters and ext == ".py" or "..." in parameters or "=" in parameters:
        return None
    new = {".py": "extra_one", ".go": "extraOne int", ".ts": "extraOne: number"}.get(ext, "int extra_one")
    if parameters in ("", "void"):
        change = lambda r: re.sub(name + r"\((void)?\)", f"{name}({new})", r, count=1)
    else:
        change = lambda r: r.replace(name + "(", f"{name}({new}, ", 1)
    each_declaration(repo, declares, change)
    return "changed-signature"


def header_gone(repo, file, rng):
    ext = os.path.splitext(file)[1]
    if ext not in (".h", ".hpp"):
        return None
    users = repo.git("grep", "-l", f'#include "[^"]*{re.escape(os.path.basename(file))}"', check=False).splitlines()
    if not users or repo.git("ls-files", "*/" + os.path.basename(file)).count("\n") > 1:
        return None
    repo.git("rm", "-qf", file)
    return "missing-file"


def null_check(repo, file, rng):
    rows = lines_of(repo, file)
    places = [i for i, r in enumerate(rows) if re.match(r"^\s+if \((?:!\w+|\w+ == (?:NULL|nullptr|null))\) (?:return|continue)\b.*;$", r)
              or re.match(r"^\s+if err != nil \{$", r) and i + 2 < len(rows) and rows[i + 2].strip() == "}"
              or re.match(r"^\s+if \w+ is None: return", r)]
    if not places:
        return None
    at = rng.choice(places)
    del rows[at:at + (3 if rows[at].endswith("{") else 1)]
    repo.write(file, "\n".join(rows))
    return ("null-check", min(at, len(rows) - 1))


def off_by_one(repo, file, rng):
    rows = lines_of(repo, file)
    places = [i for i, r in enumerate(rows) if re.match(r"^\s*for \(.* < .*;.*\)", r) or re.match(r"^\s*for .*range\(\w+\):", r)
              or re.match(r"^\s*for .*:= 0; \w+ < ", r)]
    if not places:
        return None
    at = rng.choice(places)
    rows[at] = rows[at].replace(" < ", " <= ", 1) if " < " in rows[at] else re.sub(r"range\((\w+)\)", r"range(\1 + 1)", rows[at])
    repo.write(file, "\n".join(rows))
    return ("off-by-one", at)


def leak(repo, file, rng):
    rows = lines_of(repo, file)
    places = [i for i, r in enumerate(rows) if re.match(r"^\s+(?:defer )?[\w.\->]*(?:free|close|fclose|Close|release|delete)\s*\(?[\w.\->]*\)?;?$", r)]
    if not places:
        return None
    at = rng.choice(places)
    del rows[at]
    repo.write(file, "\n".join(rows))
    return ("leak", min(at, len(rows) - 1))


# One fault can break more than one thing: what else is true of it, and not counted as false.
CONSEQUENCES = {"header_gone": {"removed-symbol"}, "conflict": {"parse-error"}}
FACTS = [conflict, secret, leftover, unbalanced, renamed, renamed_homonym, moved, deleted, more_arguments, parameter_renamed, header_gone]
READER = [null_check, off_by_one, leak]


def review(ambit, repo, env, *more):
    done = subprocess.run([ambit, "review", "--staged", "--format", "json", "--fail-level", "none", "--timeout", "300", *more],
                          cwd=repo.path, env=env, capture_output=True, timeout=400)
    if done.returncode != 0:
        raise RuntimeError(f"review: {done.returncode} {done.stderr.decode()[:200]}")
    return json.loads(done.stdout)


def scripted(ambit, repo, env, base, file, at, rng):
    """A model that points at the fault, among what must not get through."""
    rows = lines_of(repo, file)
    added = [at + d for d in (0, -1, 1) if 0 <= at + d < len(rows) and len(rows[at + d].strip()) > 1]
    other = rng.randrange(len(rows))
    def one(line, **more):
        return {"path": file, "line": line + 1, "quote": rows[line].strip(), "message": "oracle", "why": "seeded",
                "confidence": 0.9, **more}
    answer = [one(line) for line in added]
    answer += [one(other, message="noise"), one(at, quote="never written anywhere", message="noise"),
               one(at, confidence=0.1, message="noise"), one(at, path="../outside", message="noise")]
    script = base / "script.json"
    script.write_text(json.dumps({"default": {"answer": json.dumps({"findings": answer}), "tokens_per_step": 4096}}))
    return review(ambit, repo, env, "--model", f"scripted:{script}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ambit")
    parser.add_argument("repositories", nargs="+")
    parser.add_argument("--per-class", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out")
    parser.add_argument("--oracle", action="store_true")
    parser.add_argument("--only", help="classes, separated by commas")
    asked = parser.parse_args()
    ambit = os.path.abspath(asked.ambit)
    base = pathlib.Path(tempfile.mkdtemp(prefix="ambit-mutations-"))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "AMBIT_"))}
    for key in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        env[key] = str(base / key.lower())
        os.makedirs(env[key])
    (base / "run").mkdir(mode=0o700)
    env["XDG_RUNTIME_DIR"] = str(base / "run")
    rng = random.Random(asked.seed)
    classes = [m for m in FACTS + (READER if asked.oracle else []) if not asked.only or m.__name__ in asked.only.split(",")]
    table = collections.defaultdict(lambda: collections.Counter())
    false, clean_reviews, rows = [], 0, []
    try:
        for source in asked.repositories:
            repo = Repo(source, base, env)
            todo = {m.__name__: asked.per_class for m in classes}
            for commit, parent, files in repo.commits(asked.per_class * 4):
                if not any(todo.values()):
                    break
                repo.stage(commit, parent)
                clean = review(ambit, repo, env, "--no-model")["findings"]
                clean_reviews += 1
                known = {f["fingerprint"] for f in clean}
                false += [(repo.name, commit[:9], "clean", f["rule"], f["path"], f["message"]) for f in clean]
                for mutate in classes:
                    if not todo[mutate.__name__]:
                        continue
                    files_now = files[:]
                    rng.shuffle(files_now)
                    made = None
                    for file in files_now:
                        repo.stage(commit, parent)
                        made = mutate(repo, file, rng)
                        if made is not None:
                            break
                    if made is None:
                        continue
                    todo[mutate.__name__] -= 1
                    rule, at = made if isinstance(made, tuple) else (made, None)
                    new = [f for f in review(ambit, repo, env, "--no-model")["findings"] if f["fingerprint"] not in known]
                    hit = any(f["rule"] == rule for f in new)
                    counts = table[mutate.__name__]
                    counts["cases"] += 1
                    counts["found"] += hit
                    also = CONSEQUENCES.get(mutate.__name__, set())
                    wrong = [f for f in new if f["rule"] != rule and f["rule"] not in also]
                    counts["false"] += len(wrong)
                    false += [(repo.name, commit[:9], mutate.__name__, f["rule"], f["path"], f["message"]) for f in wrong]
                    if not hit and at is None:
                        rows.append(("missed", repo.name, commit[:9], mutate.__name__, file))
                    print(f"{repo.name} {commit[:9]} {mutate.__name__}: {'found' if hit else 'missed'}"
                          f"{''.join(', false ' + f['rule'] for f in wrong)}", file=sys.stderr, flush=True)
                    if at is not None:
                        with_model = scripted(ambit, repo, env, base, file, at, rng)["findings"]
                        subprocess.run([ambit, "stop", "--model", f"scripted:{base / 'script.json'}"], env=env, capture_output=True, timeout=400)
                        told = [f for f in with_model if f["origin"] == "model"]
                        counts["found_with_model"] += any(f["message"] == "oracle" for f in told)
                        counts["noise_with_model"] += sum(f["message"] == "noise" for f in told)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    found = sum(c["found"] for n, c in table.items() if n in {m.__name__ for m in FACTS})
    cases = sum(c["cases"] for n, c in table.items() if n in {m.__name__ for m in FACTS})
    said = found + len(false)
    result = {"seed": asked.seed, "clean_commits": clean_reviews, "classes": {n: dict(c) for n, c in table.items()},
              "facts": {"cases": cases, "found": found, "false": len(false),
                        "recall": found / max(cases, 1), "precision": found / max(said, 1)},
              "false_findings": false, "missed": rows}
    text = json.dumps(result, indent=1)
    if asked.out:
        pathlib.Path(asked.out).write_text(text + "\n")
    for name, c in table.items():
        by_model = "found_with_model" in c
        right, wrong = (c["found_with_model"], c["noise_with_model"]) if by_model else (c["found"], c["false"])
        print(f"{name:16} cases {c['cases']:4}  found {c['found']:4}  false {c['false']:3}"
              + (f"  with model {right:4}  noise kept {wrong}" if by_model else "")
              + f"  recall {right / max(c['cases'], 1):.2f}  precision {right / max(right + wrong, 1):.3f}")
    print(f"facts: {cases} faults, recall {found / max(cases, 1):.3f}, precision {found / max(said, 1):.3f} "
          f"({len(false)} false, {clean_reviews} clean commits)")
    for row in false[:40]:
        print("false:", *row)
    for row in rows[:40]:
        print(*row)


if __name__ == "__main__":
    sys.exit(main())
