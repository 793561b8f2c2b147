"""Chooses the text of a training run, drawn evenly:  python3 choose.py WORK [MILLIONS]

Reads WORK/files.jsonl and writes WORK/text: the training files in twelve parts of whole projects, and those that are
held out (eval.jsonl), compressed, as documents.py reads them. MILLIONS (1430) of characters, in the shares of kShares,
where there are so many of a language (of the present list 1,226 are found).
Left out: a file most of whose lines stand in another that was taken, or half of whose lines stand in held-out text; and
of large projects whole folders, by chance, until every language has its share: so many projects, each of them little.
"""

import collections
import hashlib
import json
import lzma
import multiprocessing
import sys
from pathlib import Path

# Per cent; TypeScript and Rust as much as there is.
kShares = {"c": 13, "cpp": 18, "python": 20, "typescript": 15, "javascript": 9, "rust": 14, "go": 12}
kParts = 12


def lines_of(text: str) -> list[int]:
    """Marks of the lines that say something."""
    return [int.from_bytes(hashlib.blake2b(l.encode(), digest_size=8).digest(), "big")
            for l in map(str.strip, text.split("\n")) if len(l) > 15]


def share(lines: list[int], of: set[int]) -> float:
    return sum(l in of for l in lines) / max(1, len(lines))


def without_copies(files: dict, held: list[dict]) -> dict:
    """files: by language and project. Small projects come first: of two copies the smaller project's stays."""
    unseen = {l for d in held for l in lines_of(d["text"])}
    seen: set[int] = set()
    kept = collections.defaultdict(dict)
    for language, projects in files.items():
        for name in sorted(projects, key=lambda n: (sum(len(d["text"]) for d in projects[n]), n)):
            for d in projects[name]:
                lines = lines_of(d["text"])
                if not lines or share(lines, seen) > 0.6 or (len(lines) > 20 and share(lines, unseen) > 0.5):
                    continue
                seen.update(lines)
                kept[language].setdefault(name, []).append(d)
    return kept


def capped(files: list[dict], most: float) -> list[dict]:
    """Whole folders, in an order that only their names decide, until there are `most` characters."""
    folder = lambda d: hashlib.sha1(d["path"].rpartition("/")[0].encode()).digest()
    size, taken = 0, []
    for d in sorted(files, key=folder):
        size += len(d["text"])
        if size > most:
            break
        taken.append(d)
    return sorted(taken, key=lambda d: d["path"])


def cap_for(sizes: list[int], wanted: float) -> float:
    """The cap of a project's size under which all together have `wanted`."""
    low, high = 0.0, float(max(sizes))
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if sum(min(s, middle) for s in sizes) > wanted else (middle, high)
    return high


def write(path: Path, files: list[dict]) -> None:
    with lzma.open(path, "wt", preset=9) as out:
        for d in files:
            out.write(json.dumps(d, ensure_ascii=False) + "\n")


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: choose.py WORK [MILLIONS]", file=sys.stderr)
        return 2
    work, millions = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1430
    files: dict = collections.defaultdict(lambda: collections.defaultdict(list))
    held = []
    for line in open(work / "files.jsonl"):
        d = json.loads(line)
        held.append(d) if d["split"] == "eval" else files[d["language"]][d["project"]].append(d)
    projects = []
    for language, kept in without_copies(files, held).items():
        cap = cap_for([sum(len(d["text"]) for d in p) for p in kept.values()], kShares[language] / 100 * millions * 1e6)
        taken = [(language, name, capped(p, cap)) for name, p in kept.items()]
        projects += taken
        print(f"{language}: {sum(len(d['text']) for _, _, p in taken for d in p) / 1e6:.0f} M characters of {len(kept)} projects,"
              f" at most {cap / 1e6:.2f} M of one")
    # Alike beside alike, so that they pack well.
    projects.sort(key=lambda p: p[:2])
    each = sum(len(d["text"]) for _, _, p in projects for d in p) / kParts
    parts: list[list[dict]] = [[] for _ in range(kParts)]
    at = size = 0
    for _, _, p in projects:
        if size > each * (at + 1) and at < kParts - 1:
            at += 1
        size += sum(len(d["text"]) for d in p)
        parts[at] += p
    text = work / "text"
    text.mkdir(exist_ok=True)
    with multiprocessing.Pool() as pool:
        pool.starmap(write, [(text / f"part{i:02}.jsonl.xz", p) for i, p in enumerate(parts)] + [(text / "eval.jsonl.xz", held)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
