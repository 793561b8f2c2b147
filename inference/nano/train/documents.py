"""Training documents: packed repository context, then a file, as Ambit renders its prompts.

The rendering is docs/decisions/0001-prompt-text.md. Text is drawn anew for every document, so an
epoch never repeats exactly; all randomness comes from the given generator.
"""

import bisect
import collections
import itertools
import json
import lzma
import multiprocessing
import os
import random
import re

from tokenizer import Tokenizer

LENGTH = 1024  # tokens of a sequence: as many as the daemon may ask with, answer included
IDENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{4,}")
kProjectFiles = 250
kNear = 500  # characters: what a span of a pack holds
SHARES = {"c": 0.14, "cpp": 0.18, "python": 0.2, "typescript": 0.16, "javascript": 0.1, "rust": 0.11, "go": 0.11}


class Project:
    """A package's files of one language. users: the files that speak of an identifier which is in few of them."""

    def __init__(self, files: list[tuple[str, str]], name: str = ""):
        self.name, self.files = name, files  # (path, text)
        users = collections.defaultdict(list)
        for i, (_, text) in enumerate(files):
            for found in set(IDENT.findall(text)):
                users[found].append(i)
        self.users = {w: f for w, f in users.items() if 1 < len(f) <= 12}
        self.ends = list(itertools.accumulate(len(text) for _, text in files))

    def draw(self, rng: random.Random) -> int:
        """A file, by its size."""
        return bisect.bisect_right(self.ends, rng.randrange(self.ends[-1]))


def read_part(path: str, split: str, only: str, most: int) -> dict[tuple[str, str], Project]:
    """The projects of one file, by language and name."""
    files = collections.defaultdict(list)
    for line in (lzma.open if path.endswith(".xz") else open)(path, "rt"):
        d = json.loads(line)
        if d["split"] == split and (not only or d["language"] == only):
            files[d["language"], d["project"]].append((d["path"], d["text"]))
    projects = {}
    for key, texts in files.items():
        random.Random(len(key[1])).shuffle(texts)
        projects[key] = Project(texts[:most], key[1])
    return projects


class Corpus:
    """The text of `path`: a file of JSON lines (fetch.py), or a folder of such files (.jsonl, .jsonl.xz)
    with no project in two of them, which are read at once. `most`: files of one project."""

    def __init__(self, path: str, split: str, only: str = "", most: int = kProjectFiles):
        parts = sorted(os.path.join(path, n) for n in os.listdir(path)) if os.path.isdir(path) else [path]
        with multiprocessing.get_context("fork").Pool(min(len(parts), os.cpu_count() or 1)) as pool:
            read = pool.starmap(read_part, [(p, split, only, most) for p in parts])
        # A project counts by its size: with text enough, evenly drawn text is what unseen text is like.
        self.projects: dict[str, list[Project]] = collections.defaultdict(list)
        self.ends: dict[str, list[int]] = {}
        for (language, _), project in ((k, p) for part in read for k, p in part.items()):
            if project.ends[-1] > 3000:
                self.projects[language].append(project)
        for language, projects in self.projects.items():
            self.ends[language] = list(itertools.accumulate(p.ends[-1] for p in projects))

    def draw(self, rng: random.Random) -> tuple[Project, int]:
        languages = [l for l in SHARES if self.projects[l]]
        language = rng.choices(languages, [SHARES[l] for l in languages])[0]
        ends = self.ends[language]
        project = self.projects[language][bisect.bisect_right(ends, rng.randrange(ends[-1]))]
        return project, project.draw(rng)


def hole(text: str, rng: random.Random) -> tuple[int, int]:
    """[first, last) of what is to be filled in: a line, a few lines, or a line up to somewhere in it.

    It begins at a line start; what is typed of the line already is the beginning of the answer.
    Whole lines take their line end along, as the tokens of a text do.
    """
    starts = [0] + [m.end() for m in re.finditer("\n", text)]
    for _ in range(20):
        line = rng.randrange(len(starts) - 1)
        body = text[starts[line]:starts[line + 1]]
        if not body.strip():
            continue
        kind = rng.random()
        if kind < 0.58:
            return starts[line], starts[line + 1]
        if kind < 0.9:
            return starts[line], starts[min(line + rng.randrange(2, 5), len(starts) - 1)]
        indent = len(body) - len(body.lstrip())
        return starts[line], starts[line] + rng.randrange(indent, len(body))
    return 0, min(40, len(text))


def densest(text: str, words: dict[str, float]) -> int:
    """Where most of `words`, by their weight, stand within a few lines."""
    found = []
    for word in sorted(words, key=words.get, reverse=True)[:16]:
        at = text.find(word)
        for _ in range(8):
            if at < 0:
                break
            found.append((at, word))
            at = text.find(word, at + 1)
    found.sort()
    best = (0.0, 0)
    for i, (at, _) in enumerate(found):
        near = {w for a, w in itertools.islice(found, i, i + 40) if a < at + kNear}
        best = max(best, (sum(words[w] for w in near), -at))
    return -best[1]


class Documents:
    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, length: int, seed: int):
        self.corpus, self.tok, self.length, self.rng = corpus, tokenizer, length, random.Random(seed)
        self.words = 259 + len(tokenizer.rank)  # ids from 3 up to here are text
        self.synthetic = 0.0  # share of documents that are repeats of noise
        self.copies = 0.0  # share of packs that hold a copy of the lines at the hole, as pasted code does
        s = tokenizer.special
        self.bos, self.eos, self.pad = s["<｜begin▁of▁sentence｜>"], s["<｜end▁of▁sentence｜>"], s["<｜▁pad▁｜>"]
        self.begin, self.hole, self.end = s["<｜fim▁begin｜>"], s["<｜fim▁hole｜>"], s["<｜fim▁end｜>"]

    def span(self, path: str, text: str, at: int, lines: int, before: int) -> list[int]:
        """A rendered span of `lines` lines, of which fewer than `before` stand above that of character `at`."""
        starts = [0] + [m.end() for m in re.finditer("\n", text)]
        here = bisect.bisect_right(starts, at) - 1
        first = max(0, here - self.rng.randrange(0, before))
        last = min(len(starts) - 1, first + lines)
        body = text[starts[first]:starts[last] if last > first else len(text)].rstrip("\n")
        return self.tok.encode(f"### {path}:{first + 1}-{last}\n{body}\n\n")

    def pack(self, project: Project, index: int, about: str, budget: int, chance: float = 0.0) -> list[int]:
        """Spans of other files, of those first that share most rare identifiers with `about`, where most of these stand
        together. chance: how often one at random takes its place."""
        out = self.tok.encode(f"Repository {project.name}.\n\n")
        shared: dict[int, dict[str, float]] = collections.defaultdict(dict)
        for word in dict.fromkeys(IDENT.findall(about)):
            users = project.users.get(word, ())
            for f in users:
                if f != index:
                    shared[f][word] = 1 / len(users)
        chosen = sorted(shared, key=lambda f: -sum(shared[f].values()))
        if self.rng.random() < chance:
            self.rng.shuffle(chosen)
        chosen = chosen[:3]
        if not chosen or self.rng.random() < chance:
            chosen.append(self.rng.randrange(len(project.files)))
        for f in chosen:
            if f == index:
                continue
            path, text = project.files[f]
            words = shared.get(f, {})
            at = densest(text, words) if words else self.rng.randrange(len(text))
            ids = self.span(path, text, at, self.rng.randrange(6, 16), 3)
            if len(out) + len(ids) <= budget:
                out += ids
        return out

    def repeats(self, length: int) -> tuple[list[int], list[float]]:
        """Runs of ids that no rule but copying predicts, again and again: only repeats are weighted."""
        rng, tok = self.rng, self.tok
        runs, ids = [], [self.bos] + tok.encode(f"### {rng.choice(self.corpus.draw(rng)[0].files)[0]}\n")
        weights = [0.0] * len(ids)
        while len(ids) <= length:
            if not runs or rng.random() < 0.35:
                project, index = self.corpus.draw(rng)
                text = project.files[index][1]
                at = rng.randrange(max(1, len(text) - 200))
                run = tok.encode(text[at:at + 200])[1:rng.randrange(8, 60)]
                noise = rng.choice((0.1, 0.4, 1.0))
                run = [rng.randrange(3, self.words) if rng.random() < noise else i for i in run]
                runs.append(run)
                weights += [0.0] * len(run)
            else:
                run = rng.choice(runs)
                at = rng.randrange(len(run) // 2 + 1)
                run = run[at:at + rng.randrange(6, 60)]
                weights += ([0.0, 0.3] + [1.0] * len(run))[:len(run)]
            ids += run
        return ids, weights

    def draw(self, length: int) -> tuple[list[int], list[float]]:
        """Ids and, for every id, the weight of predicting it; about `length` at most."""
        rng, tok = self.rng, self.tok
        if rng.random() < self.synthetic:
            return self.repeats(length)
        project, index = self.corpus.draw(rng)
        path, text = project.files[index]
        a, b = hole(text, rng)
        ids = [self.bos]
        if rng.random() < 0.75:
            budget = int(length * rng.uniform(0.15, 0.45))
            known = rng.random() < 0.5  # what is hidden helps to find what is like it
            about = text[max(0, a - 600):b if known else a] + text[b:b + 300]
            ids += self.pack(project, index, about, budget, 0.3)
            if rng.random() < self.copies:
                lines = rng.randrange(4, 14)
                copy = self.span(rng.choice(project.files)[0], text, a, lines, lines)
                ids += copy if len(copy) < budget else []
        ids += tok.encode(f"### {path}\n")
        room = length - len(ids)
        if rng.random() < 0.2:  # plain text, from a line start
            start = text.rfind("\n", 0, max(0, a - 1)) + 1
            start = start if len(text) - start > 1200 else 0
            body = tok.encode(text[start:start + 4 * room])
            ids += body[:room]
            if len(body) < room:
                ids.append(self.eos)
            return ids, [1.0] * len(ids)
        middle = tok.encode(text[a:b])[:96] + [self.eos]
        room -= len(middle) + 3
        suffix = tok.encode(cut_end(text[b:b + 900]))[:max(0, min(int(room * rng.uniform(0.0, 0.35)), room))]
        prefix = tok.encode(text[max(0, a - 4 * room):a])
        keep = max(0, room - len(suffix))
        before = self.prompt(suffix, prefix[max(0, len(prefix) - keep):])
        return ids + before + middle, [1.0] * (len(ids) + len(before)) + [4.0] * len(middle)

    def prompt(self, suffix: list[int], prefix: list[int]) -> list[int]:
        """What stands between the file's header and the answer; `prefix` ends at a line end."""
        return [self.hole] + suffix + [self.begin] + prefix + [self.end]

    def ask(self, head: list[int], before: str, after: str, length: int) -> tuple[list[int], str]:
        """A completion's prompt of at most `length` tokens as the daemon writes it, and the word that is
        begun: the answer has to start with it. `head`: the pack and the file's header."""
        line = before.rfind("\n") + 1
        typed = line + last_word(before[line:])
        suffix = self.tok.encode(cut_end(after.removeprefix("\n")[:900]))[:100]
        words = self.tok.encode(before[line:typed])
        prefix = self.tok.encode(before[max(0, line - 2400):line])
        keep = max(32, length - 4 - len(head) - len(suffix) - len(words))
        return [self.bos] + head + self.prompt(suffix, prefix[-keep:]) + words, before[typed:]

    def batch(self, n: int):
        """(ids, weights): n rows of length + 1, padded with weight 0."""
        rows, weights = [], []
        for _ in range(n):
            ids, w = self.draw(self.length if self.rng.random() < 0.75 else self.rng.randrange(260, 400))
            while self.length - len(ids) > 130:  # what is left is filled with another document
                more, w_more = self.draw(self.length - len(ids))
                ids, w = ids + more, w + w_more
            ids, w = ids[:self.length + 1], w[:self.length + 1]
            gap = self.length + 1 - len(ids)
            rows.append(ids + [self.pad] * gap)
            weights.append(w + [0.0] * gap)
        return rows, weights


def last_word(line: str) -> int:
    """Where the last word of a line begins: last_word of daemon/assists/completion/prompt.h."""
    kind = lambda c: " " if c in " \t" else "a" if c.isalnum() or ord(c) > 127 else "."
    at = len(line)
    while at > 0 and kind(line[at - 1]) == kind(line[-1]):
        at -= 1
    if line and kind(line[-1]) == "a":
        if at > 0 and (kind(line[at - 1]) == " " or at == 1 or kind(line[at - 2]) == "a" or line[at - 2] == "\t"):
            at -= 1
    elif line and kind(line[-1]) == "." and at > 0 and line[at - 1] == " ":
        at -= 1
    return at if len(line[at:].encode()) <= 48 else len(line)


def cut_end(text: str) -> str:
    return text[:text.rfind("\n") + 1] if len(text) >= 900 and "\n" in text else text
