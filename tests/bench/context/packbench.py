#!/usr/bin/env python3
"""PackBench: does the pack hold what the next edit needs?

packbench.py PROBE REPOSITORY... [--cases N] [--stride S] [--budgets 2048,8192,32768] [--methods a,b] [--tokenizer F] [--out F] [--rows F] [--cache DIR]
packbench.py PROBE REPOSITORY... --places N [--cache DIR]      the time of packs only, at N places of the tree as it stands
packbench.py --read F... [--budgets ...] [--methods ...]      the report of what --out kept

REPOSITORY is a git repository with its history (bare or not; read only). For each commit (newest first, every S-th, at most
12 files and 200 inserted lines, no merges, no bots) the tree goes to its parent; for at most three hunks of modified files the
question is: the identifiers of the inserted lines that are defined elsewhere in the tree (in at most three files, none of them
visible): does the pack hold the line that defines them? Novel ones do not even occur in what is visible. Prints recall per
method and budget, macro over repositories, with 95 % bootstrap intervals over commits; --out keeps every case (JSON lines).
"""
import argparse, collections, json, os, random, re, shutil, subprocess, sys, tempfile

CODE = {".c", ".h", ".cc", ".cpp", ".hpp", ".cxx", ".py", ".js", ".jsx", ".mjs", ".ts", ".tsx", ".rs", ".go", ".java", ".cs",
        ".rb", ".php", ".kt", ".swift", ".scala", ".lua"}
HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def git(repo, *args):
    return subprocess.run(["git", "-C", repo, *args], check=True, capture_output=True).stdout


def text(repo, *args):
    return git(repo, *args).decode("utf-8", "replace")


def hunks(repo, commit):
    """{path: [(line in parent, first new line, [inserted text])]} of modified files, and the number of inserted lines."""
    out, path, inserted, current = collections.OrderedDict(), None, 0, None
    for line in text(repo, "diff", "-U0", "--no-renames", "--diff-filter=M", "--no-color", "--no-ext-diff", commit + "^", commit).split("\n"):
        if line.startswith("+++ b/"):
            path = line[6:]
            out[path] = []
        elif line.startswith("+++ "):
            path = None
        elif (m := HUNK.match(line)) and path:
            old, old_n, new = int(m[1]), int(m[2] or 1), int(m[3])
            current = (old if old_n == 0 else old - 1, new - 1, [])
            if m[4] != "0":
                out[path].append(current)
        elif line.startswith("+") and path and current:
            current[2].append(line[1:])
            inserted += 1
    return out, inserted


def commits(repo, stride):
    log = text(repo, "log", "--no-merges", "--format=%H %an", "HEAD")
    for i, line in enumerate(log.split("\n")):
        commit, _, author = line.partition(" ")
        if i % stride == 0 and commit and "bot" not in author.lower():
            yield commit


def cases(repo, wanted, stride):
    """(commit, parent, [case]) until `wanted` cases are out; a case is what pack_probe reads."""
    made = 0
    for commit in commits(repo, stride):
        if made >= wanted:
            return
        parents = text(repo, "log", "-1", "--format=%P", commit).split()
        if len(parents) != 1:
            continue
        names = text(repo, "diff", "--name-only", "--no-renames", commit + "^", commit).split("\n")[:-1]
        if not names or len(names) > 12:
            continue
        changed, inserted = hunks(repo, commit)
        files = [p for p in changed if os.path.splitext(p)[1] in CODE and changed[p]]
        if not files or inserted > 200 or not text(repo, "diff", "-w", "--shortstat", commit + "^", commit).strip():
            continue
        random.Random(commit).shuffle(files)
        batch = []
        for i, path in enumerate(files):
            new = git(repo, "show", f"{commit}:{path}")
            if len(new) > 1 << 20 or b"\0" in new:
                continue
            for at, first, lines in changed[path]:
                if any(l.strip() for l in lines):
                    batch.append({"path": path, "new_text": new.decode("utf-8", "replace"), "at": at,
                                  "lines": list(range(first, first + min(30, len(lines)))), "open": files[max(0, i - 4):i]})
        if batch:
            made += yield commit, parents[0], batch


def repo_name(repo):
    return os.path.basename(repo.rstrip("/").removesuffix("/repo"))


def measure(args, repo):
    work = tempfile.mkdtemp(prefix="packbench.")
    results = []
    try:
        subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", repo, work + "/tree"], check=True)
        tree = work + "/tree"
        cache = os.path.join(args.cache, repo_name(repo)) if args.cache else work + "/cache"
        os.makedirs(cache, exist_ok=True)
        probe = subprocess.Popen([args.probe, tree, cache, args.tokenizer] + ([args.rows] if args.rows else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        walk = cases(tree, args.cases, args.stride)
        step = next(walk, None)
        while step:
            commit, parent, batch = step
            subprocess.run(["git", "-C", tree, "checkout", "-q", "--detach", "--force", parent], check=True)
            kept = []
            for i, case in enumerate(batch[:12]):
                case.update(moved=i == 0, budgets=args.budgets, methods=args.methods)
                r = ask(probe, case)
                if r.get("needed"):
                    kept.append({"repo": repo_name(repo), "commit": commit, "path": case["path"], "at": case["at"], **r})
            kept.sort(key=lambda r: -r["novel"])
            results += kept[:3]
            print(f"\r{len(results)} cases", end="", file=sys.stderr)
            try:
                step = walk.send(len(kept[:3]))
            except StopIteration:
                step = None
        probe.stdin.close()
        probe.wait()
        print(file=sys.stderr)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return results


def ask(probe, case):
    """One question to pack_probe."""
    probe.stdin.write(json.dumps(case) + "\n")
    probe.stdin.flush()
    answer = probe.stdout.readline()
    if not answer:
        sys.exit("packbench: pack_probe ended")
    return json.loads(answer)


def timed(args, repo):
    """Packs at files of the tree as it stands, the same ones every time."""
    files = [p for p in text(repo, "ls-files").split("\n") if os.path.splitext(p)[1] in CODE]
    random.Random(1).shuffle(files)
    work = args.cache or tempfile.mkdtemp(prefix="packbench.")
    probe = subprocess.Popen([args.probe, repo, work, args.tokenizer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    results = []
    for path in files:
        if len(results) == args.places:
            break
        with open(os.path.join(repo, path), encoding="utf-8", errors="replace", newline="") as f:
            lines = f.read().split("\n")
        if not 60 <= len(lines) <= 5000:
            continue
        case = {"path": path, "new_text": "\n".join(lines), "at": len(lines) // 3, "lines": [], "open": [], "moved": not results,
                "budgets": args.budgets, "methods": args.methods, "timed": True}
        r = ask(probe, case)
        if "results" in r:
            results.append({"repo": os.path.basename(repo.rstrip("/")), "path": path, "at": case["at"], **r})
    probe.stdin.close()
    probe.wait()
    if not args.cache:
        shutil.rmtree(work, ignore_errors=True)
    return results


def recall(cases_by_repo, method, budget, key):
    """Macro over repositories, in percent; repositories without such symbols are left out."""
    parts = []
    for all_cases in cases_by_repo.values():
        n = sum(c[key] for c in all_cases)
        if n:
            parts.append(sum(c["results"][method][budget][key] for c in all_cases) / n)
    return 100 * sum(parts) / len(parts) if parts else float("nan")


def interval(values, form):
    """The middle 95 % of the samples; one without such symbols says nothing."""
    spread = sorted(v for v in values if v == v)
    if not spread:
        return "[none]"
    cut = int(0.025 * len(spread))
    return f"[{spread[cut]:{form}} {spread[-1 - cut]:{form}}]"


def resampled(by_repo, rng):
    out = {}
    for repo, all_cases in by_repo.items():
        groups = collections.OrderedDict()
        for c in all_cases:
            groups.setdefault(c["commit"], []).append(c)
        groups = list(groups.values())
        out[repo] = [c for _ in groups for c in rng.choice(groups)]
    return out


def report_typing(results, args):
    """The inserted lines typed key by key: what of the pack has to be computed again, without the text behind it."""
    for budget in map(str, args.budgets):
        rows = [r["results"]["typing"][budget] for r in results]
        total = {k: sum(r[k] for r in rows) for k in rows[0]}
        print(f"{budget} tokens: {total['keys']} keys in {len(rows)} places; for each place {total['first'] / len(rows):.0f} tokens of the "
              f"task part at first, then for 100 keys {100 * total['later'] / total['keys']:.0f} tokens in {100 * total['changes'] / total['keys']:.1f} changes")


def report_times(results, args):
    for key, what in (("ms", "a place for the first time" if args.places else "the first pack of a tree"), ("warm_ms", "another place of the file"), ("key_ms", "the next key")):
        print(f"\npack time of {what}, ms, p50 / p95" + ("; tokens over budget: none" if key == "ms" else ""))
        for method in args.methods:
            row = f"  {method:10}"
            for budget in map(str, args.budgets):
                ms = sorted(c["results"][method][budget][key] for c in results if key in c["results"][method][budget])
                if ms:
                    row += f"  {ms[len(ms) // 2]:7.1f} / {ms[int(len(ms) * 0.95)]:7.1f}"
            if "/" in row:
                print(row)


def report(results, args):
    if "typing" in args.methods:
        report_typing(results, args)
        args.methods = [m for m in args.methods if m != "typing"]
        if not args.methods:
            return
    if "exact" in args.methods:
        differ = sum(r["results"]["exact"][b]["differ"] for r in results for b in map(str, args.budgets))
        print(f"{len(results)} places: {differ} definitions ranked elsewhere than by looking at every one")
        args.methods.remove("exact")
    if args.methods and "prepare_ms" in results[0]:
        print(f"the graph of the first tree was made in {results[0]['prepare_ms']:.0f} ms")
    report_times(results, args)
    if args.places:
        return
    by_repo = collections.OrderedDict()
    for r in results:
        by_repo.setdefault(r["repo"], []).append(r)
    for repo, all_cases in by_repo.items():
        print(f"{repo}: {len(all_cases)} cases, {sum(c['needed'] for c in all_cases)} needed, {sum(c['novel'] for c in all_cases)} novel")
    rng = random.Random(1)
    samples = [resampled(by_repo, rng) for _ in range(300)]
    for key in ("needed", "novel"):
        print(f"\nrecall of {key} definitions, % [95 % interval]")
        for method in args.methods:
            row = f"  {method:10}"
            for budget in map(str, args.budgets):
                row += f"  {recall(by_repo, method, budget, key):5.1f} {interval((recall(s, method, budget, key) for s in samples), '5.1f')}"
            print(row)
        if "aider" not in args.methods:
            continue
        print(f"misses of {key} definitions over those of aider's map [95 % interval]")
        for method in args.methods:
            def ratio(sample, budget):
                misses = 100 - recall(sample, "aider", budget, key)
                return (100 - recall(sample, method, budget, key)) / misses if misses else float("inf")
            row = f"  {method:10}"
            for budget in map(str, args.budgets):
                row += f"  {ratio(by_repo, budget):5.2f} {interval((ratio(s, budget) for s in samples), '5.2f')}"
            if method != "aider":
                print(row)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("probe", nargs="?")
    p.add_argument("repositories", nargs="*")
    p.add_argument("--read", nargs="+", default=[], metavar="F")
    p.add_argument("--cases", type=int, default=60)
    p.add_argument("--stride", type=int, default=3)
    p.add_argument("--budgets", type=lambda s: [int(x) for x in s.split(",")], default=[2048, 8192, 32768])
    p.add_argument("--methods", type=lambda s: s.split(","), default=["same-dir", "recent", "bm25", "aider", "aider+", "reranked", "frozen"])
    here = os.path.dirname(os.path.abspath(__file__))
    top = os.path.join(here, "../../..")
    released = os.path.join(top, "../shared/golden/tokenizer/tokenizer.json")
    p.add_argument("--tokenizer", default=released if os.path.exists(released) else os.path.join(top, "inference/nano/model/tokenizer.json"))
    p.add_argument("--places", type=int, default=0)
    p.add_argument("--cache", help="a folder that keeps the indices: the next run reads no blob again")
    p.add_argument("--out")
    p.add_argument("--rows", help="what the ranking sees, of one repository, for train_ranker.py")
    args = p.parse_args()
    results = [json.loads(line) for name in args.read for line in open(name)]
    for repo in args.repositories:
        print(repo, file=sys.stderr)
        results += timed(args, repo) if args.places else measure(args, repo)
    if args.out:
        with open(args.out, "w") as f:
            f.writelines(json.dumps(r) + "\n" for r in results)
    if not results:
        sys.exit("packbench: no case was found")
    report(results, args)


if __name__ == "__main__":
    main()
