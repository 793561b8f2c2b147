"""Training documents: packed repository context, then a file, as Ambit renders its prompts.

The rendering is docs/decisions/0001-prompt-text.md. Text is drawn anew for every document, so an
epoch never repeats exactly; all randomness comes from the given generator.
"""

import bisect
import collections
import json
import random
import re

from tokenizer import Tokenizer

IDENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{4,}")
kProjectFiles = 250
SHARES = {"c": 0.14, "cpp": 0.18, "python": 0.2, "typescript": 0.16, "javascript": 0.1, "rust": 0.11, "go": 0.11}


class Project:
    def __init__(self, name: str):
        self.name, self.files = name, []  # (path, text)
        self.users: dict[str, list[int]] | None = None

    def using(self, word: str) -> list[int]:
        """Files that speak of an identifier which is in few files."""
        if self.users is None:
            users = collections.defaultdict(list)
            for i, (_, text) in enumerate(self.files):
                for found in set(IDENT.findall(text)):
                    users[found].append(i)
            self.users = {w: f for w, f in users.items() if 1 < len(f) <= 12}
        return self.users.get(word, [])


class Corpus:
    def __init__(self, path: str, split: str, only: str = ""):
        projects: dict[tuple[str, str], Project] = {}
        for line in open(path):
            d = json.loads(line)
            if d["split"] == split and (not only or d["language"] == only):
                key = (d["language"], d["project"])
                projects.setdefault(key, Project(d["project"])).files.append((d["path"], d["text"]))
        for project in projects.values():  # a few hundred files of one project teach enough
            random.Random(len(project.name)).shuffle(project.files)
            del project.files[kProjectFiles:]
        self.projects: dict[str, list[tuple[float, Project]]] = collections.defaultdict(list)
        for (language, _), project in projects.items():
            # A project counts by the square root of its size, so that none drowns the others.
            size = sum(len(t) for _, t in project.files)
            if size > 3000:
                self.projects[language].append((min(size, 4e6) ** 0.5, project))

    def draw(self, rng: random.Random) -> tuple[Project, int]:
        languages = [l for l in SHARES if self.projects[l]]
        language = rng.choices(languages, [SHARES[l] for l in languages])[0]
        weights, choices = zip(*self.projects[language])
        project = rng.choices(choices, weights)[0]
        return project, rng.randrange(len(project.files))


def hole(text: str, rng: random.Random) -> tuple[int, int]:
    """[first, last) of what is to be filled in: the rest of a line, a few lines, or any span."""
    starts = [0] + [m.end() for m in re.finditer("\n", text)]
    for _ in range(20):
        line = rng.randrange(len(starts) - 1)
        a, b = starts[line], starts[line + 1] - 1
        body = text[a:b]
        if not body.strip():
            continue
        indent = len(body) - len(body.lstrip())
        kind = rng.random()
        if kind < 0.6:
            first = a + indent if rng.random() < 0.45 else a + rng.randrange(indent, len(body))
            return first, b
        if kind < 0.85:
            return a + indent, starts[min(line + rng.randrange(1, 5), len(starts) - 1)] - 1
        first = a + rng.randrange(len(body))
        return first, min(len(text), first + rng.randrange(4, 120))
    return 0, min(40, len(text))


class Documents:
    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, length: int, seed: int):
        self.corpus, self.tok, self.length, self.rng = corpus, tokenizer, length, random.Random(seed)
        self.copies = 0.0  # share of packs that hold a copy of the lines at the hole, as pasted code does
        s = tokenizer.special
        self.bos, self.eos, self.pad = s["<｜begin▁of▁sentence｜>"], s["<｜end▁of▁sentence｜>"], s["<｜▁pad▁｜>"]
        self.begin, self.hole, self.end = s["<｜fim▁begin｜>"], s["<｜fim▁hole｜>"], s["<｜fim▁end｜>"]

    def span(self, path: str, text: str, at: int, lines: int) -> list[int]:
        """A rendered span of `lines` lines about byte `at`."""
        starts = [0] + [m.end() for m in re.finditer("\n", text)]
        here = bisect.bisect_right(starts, at) - 1
        first = max(0, here - self.rng.randrange(0, lines))
        last = min(len(starts) - 1, first + lines)
        body = text[starts[first]:starts[last] if last > first else len(text)].rstrip("\n")
        return self.tok.encode(f"### {path}:{first + 1}-{last}\n{body}\n\n")

    def pack(self, project: Project, index: int, about: str, budget: int) -> list[int]:
        """Spans of other files that share rare identifiers with `about`; else of any other file."""
        out = self.tok.encode(f"Repository {project.name}.\n\n")
        words = list(dict.fromkeys(IDENT.findall(about)))
        self.rng.shuffle(words)
        chosen = []
        for word in words[:40]:
            others = [f for f in project.using(word) if f != index]
            if others:
                chosen.append((self.rng.choice(others), word))
            if len(chosen) == 3:
                break
        if not chosen or self.rng.random() < 0.2:
            chosen.append((self.rng.randrange(len(project.files)), ""))
        for f, word in chosen:
            if f == index:
                continue
            path, text = project.files[f]
            at = text.find(word) if word else self.rng.randrange(len(text))
            ids = self.span(path, text, at, self.rng.randrange(4, 14))
            if len(out) + len(ids) <= budget:
                out += ids
        return out

    def draw(self) -> tuple[list[int], list[float]]:
        """Ids and, for every id, the weight of predicting it."""
        rng, tok = self.rng, self.tok
        project, index = self.corpus.draw(rng)
        path, text = project.files[index]
        a, b = hole(text, rng)
        ids = [self.bos]
        if rng.random() < 0.75:
            budget = int(self.length * rng.uniform(0.2, 0.55))
            ids += self.pack(project, index, text[max(0, a - 200):b + 100], budget)
            if rng.random() < self.copies:
                copy = self.span(rng.choice(project.files)[0], text, a, rng.randrange(4, 14))
                ids += copy if len(copy) < budget else []
        ids += tok.encode(f"### {path}\n")
        room = self.length - len(ids)
        if rng.random() < 0.35:  # plain text, from a line start
            start = text.rfind("\n", 0, a) + 1
            start = start if len(text) - start > 600 else 0
            body = tok.encode(text[start:start + 4 * room])
            ids += body[:room]
            if len(body) < room:
                ids.append(self.eos)
            return ids, [1.0] * len(ids)
        middle = tok.encode(text[a:b])[:96] + [self.eos]
        room -= len(middle) + 3
        suffix = tok.encode(cut_end(text[b:b + 900]))[:max(0, min(int(room * rng.uniform(0.0, 0.45)), room))]
        start = max(0, a - 4 * room)
        prefix = tok.encode(text[start:a])
        keep = max(0, room - len(suffix))
        prefix = prefix[len(prefix) - keep:] if len(prefix) > keep else prefix
        if rng.random() < 0.8:
            before = [self.begin, self.hole] + suffix + [self.end] + prefix
        else:
            before = [self.begin] + prefix + [self.hole] + suffix + [self.end]
        weights = [1.0] * (len(ids) + len(before)) + [3.0] * len(middle)
        return ids + before + middle, weights

    def batch(self, n: int):
        """(ids, weights): n rows of length + 1, padded with weight 0."""
        rows, weights = [], []
        for _ in range(n):
            ids, w = self.draw()
            ids, w = ids[:self.length + 1], w[:self.length + 1]
            gap = self.length + 1 - len(ids)
            rows.append(ids + [self.pad] * gap)
            weights.append(w + [0.0] * gap)
        return rows, weights


def cut_end(text: str) -> str:
    return text[:text.rfind("\n") + 1] if len(text) >= 900 and "\n" in text else text
