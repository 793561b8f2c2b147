"""Measures ambit-nano on projects that it has not seen, beside the baselines of baselines.py.

    python3 evaluate.py FILES.jsonl MODEL_FOLDER BUILD_FOLDER [CASES] [NGRAM_TOKENS]

BUILD_FOLDER holds `ambit` (it writes the completions) and, built with AMBIT_BENCH, `parse_errors`.
Prints one JSON document:

bits_per_byte: TEXT tokens from the start of up to 40 files a language, each behind its header line. `nano` alone; `ngram` the
counts alone; `ngram_cache` with what the document has said so far; `nano_cache` the same mixture
over nano's distribution. The counts see NGRAM_TOKENS tokens of the training split (20,000,000; they
are kept beside FILES.jsonl, since counting takes minutes and gigabytes).
line, block: CASES holes that are the rest of a line, and as many (300 at most) that are two to four whole lines;
greedy from the last word's start on, cut to the lines asked for. exact: the same text; similarity: 1 - edit distance / the longer
length; parses: the file has no more grammar errors than with the true text, of completions that say
anything. With the pack (spans of other files of the project, as in training) and without.
NANO_THREADS (all): the engine's threads. NANO_EVALUATE: of `model cache rivals` what
is measured (cache: nano_cache); the cases are the same. NANO_ANSWERS: where the answers are kept
(NAME.line, NAME.block): what an earlier run answered to the same holes, by others, is counted again with this one's.
"nano_pack - x": the exact answers of both on the same holes compared (see `compared`).
"""

import collections
import json
import math
import os
import pickle
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "inference/nano/train"))
import fast  # noqa: E402
from baselines import Mixed, Ngram, copied_lines  # noqa: E402
from documents import LENGTH, SHARES, Corpus, Documents  # noqa: E402
from export import load_released  # noqa: E402
from model import Model  # noqa: E402
from tokenizer import Tokenizer  # noqa: E402

PARTS = os.environ.get("NANO_EVALUATE", "model cache rivals").split()
TEXT, PACK, FILES = 640, 300, 40
LINE, BLOCK = 40, 96  # tokens of an answer at most


class NanoAsBase:
    """The model where `Mixed` expects counts."""

    def __init__(self, model: Model, engine: "Asked"):
        self.model, self.vocab, self.engine = model, model.c.vocab_size, engine

    def text(self, ids: list[int]) -> np.ndarray:
        with torch.no_grad():
            p = self.model(torch.tensor([ids]))[0, :-1].double().softmax(-1)
        return p[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()


    def probabilities(self, ids: list[int], at: int, words: np.ndarray) -> np.ndarray:
        """After ids[:at], by the engine: its 64 likeliest, the others 0."""
        p = np.zeros(self.vocab)
        for id, logprob in self.engine({"ids": ids[:at], "predict": 1, "logprobs": 64})["logprobs"][0]:
            p[id] = np.exp(logprob)
        return p[words]


def sample(corpus: Corpus, tok: Tokenizer, rng: random.Random, budget: int, most: int, used: set) -> list[list[int]]:
    """Files not in `used`, cut to `most` tokens, until `budget` tokens are reached."""
    out = []
    for _ in range(100_000):
        if budget <= 0:
            break
        project, index = corpus.draw(rng)
        if (project.name, index) not in used:
            used.add((project.name, index))
            out.append([0] + tok.encode(project.files[index][1][:4 * most])[:most])
            budget -= len(out[-1])
    return out


def from_training(files: str, tok: Tokenizer, budget: int, rivals: bool) -> tuple[list[list[int]], Ngram | None]:
    """Training files apart from the counts' text, and the counts where wanted. Both are kept beside `files`."""
    name = f"{len(tok.vocab)}-{budget}.pickle"
    of_apart, of_counts = (Path(files).parent / f"{what}-{name}" for what in ("apart", "ngram"))
    if not of_apart.exists() or (rivals and not of_counts.exists()):
        train, rng, used = Corpus(files, "train"), random.Random(11), set()
        of_apart.write_bytes(pickle.dumps(sample(train, tok, rng, 20_000, TEXT, used)))
        if rivals and not of_counts.exists():
            counts = Ngram(sample(train, tok, rng, budget, 4000, used), 1 + max(tok.bytes_of))
            of_counts.write_bytes(pickle.dumps(counts, protocol=5))
    return pickle.loads(of_apart.read_bytes()), pickle.loads(of_counts.read_bytes()) if rivals else None


def bits_per_byte(unseen: Corpus, tok: Tokenizer, models: dict) -> dict:
    result = {}
    for language in SHARES:
        held_out = [f for p in unseen.projects.get(language, []) for f in p.files]
        random.Random(5).shuffle(held_out)
        bits: collections.Counter = collections.Counter()
        for path, text in held_out[:FILES]:
            head = [0] + tok.encode(f"### {path}\n")  # as every file of a prompt begins; not counted
            ids, n = head + tok.encode(text[:4000])[:TEXT - 1], len(head)
            bits["bytes"] += sum(len(tok.bytes_of[i]) for i in ids[n:])
            for name, model in models.items():
                bits[name] += model.bits(ids, n) if isinstance(model, Mixed) else -np.log2(model.text(ids)[n - 1:]).sum()
        result[language] = {"files": len(held_out[:FILES]), "bytes": bits["bytes"],
                            **{n: round(float(bits[n]) / max(1, bits["bytes"]), 3) for n in models}}
    total = sum(r["bytes"] for r in result.values())
    result["all"] = {n: round(sum(r[n] * r["bytes"] for r in result.values()) / total, 3) for n in models}
    return result


def case(docs: Documents, rng: random.Random, lines: int) -> dict:
    """A hole of the rest of one line, or of `lines` whole lines where that is more than one."""
    tok = docs.tok
    while True:
        project, index = docs.corpus.draw(rng)
        path, text = project.files[index]
        starts = [0] + [i + 1 for i, c in enumerate(text) if c == "\n"]
        if len(starts) < 24:
            continue
        line = rng.randrange(8, len(starts) - 1 - lines)
        a, b = starts[line], starts[line + lines] - 1
        body = text[a:b]
        if len(body.strip()) < 8 or any(not l.strip() for l in body.split("\n")):
            continue
        first = a + len(body) - len(body.lstrip())
        if lines == 1:
            first += rng.randrange(0, len(body.strip()) // 2)
        if len(tok.encode(text[first:b])) > (40 if lines == 1 else 90):
            continue
        header = tok.encode(f"### {path}\n")
        before, after, most = text[:first], text[b:], LENGTH - 96
        pack = docs.pack(project, index, before[-600:] + after[:300], PACK)
        (with_pack, begun), (bare, _) = (docs.ask(head + header, before, after, most - PACK + len(head))
                                         for head in (pack, []))
        # The rivals get the same text without marks.
        near, tail = tok.encode(after[:400]), before[-2400:len(before) - len(begun)]
        plain = [docs.bos] + pack + header + near + tok.encode("\n" + tail)
        return dict(path=path, text=text, first=first, last=b, lines=lines, want=text[first:b], begun=begun,
                    pack=with_pack, bare=bare, plain=plain, said=tok.decode(pack + near) + "\n" + before[-2400:])


def beginning_with(begun: str) -> dict:
    """What of a request makes the answer begin so."""
    return {"grammar": 'root ::= "' + "".join(f"\\x{c:02x}" for c in begun.encode()) + '" [^\\x00]*'} if begun else {}


def written(tok: Tokenizer, ids: list[int], begun: str) -> str:
    return tok.decode([i for i in ids if i not in tok.special.values()]).removeprefix(begun)


def cut(text: str, lines: int) -> str:
    return "\n".join(text.split("\n")[:lines]).rstrip()


def similarity(a: str, b: str) -> float:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return 1 - row[-1] / max(1, len(a), len(b))


class Asked:
    """A program that answers one line of JSON with one line."""

    def __init__(self, *command: str):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __call__(self, question: dict):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def compared(first: list[bool], second: list[bool]) -> dict:
    """Exact answers of two on the same holes: how many more `first` has, in per cent of the holes, with 95 % of chance
    (normal), and the probability that as uneven a split of the holes that only one has is chance (sign test, two-sided)."""
    n, a, b = len(first), sum(x and not y for x, y in zip(first, second)), sum(y and not x for x, y in zip(first, second))
    wide = 1.96 * math.sqrt(max(0.0, a + b - (a - b) ** 2 / n)) / n
    tail = sum(math.comb(a + b, k) for k in range(min(a, b) + 1)) / 2 ** (a + b)
    return {"only_first": a, "only_second": b, "difference": round(100 * (a - b) / n, 1),
            "from": round(100 * ((a - b) / n - wide), 1), "to": round(100 * ((a - b) / n + wide), 1),
            "chance": float(f"{min(1.0, 2 * tail):.2g}")}


def fill(docs: Documents, rng: random.Random, cases: int, block: bool, engine: Asked, errors: Asked | None,
         mixed: dict[str, Mixed], said_before: Path | None) -> dict:
    score: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    right: dict[str, list[bool]] = collections.defaultdict(list)
    seconds = 0.0
    before = [json.loads(line) for line in open(said_before)] if said_before and said_before.exists() else []
    kept = []
    for number in range(cases):
        c = case(docs, rng, rng.randrange(2, 5) if block else 1)
        most = BLOCK if block else LINE
        hole = [c["path"], c["first"], c["want"]]
        answers = {}
        for name, prompt in (("nano_pack", c["pack"]), ("nano_bare", c["bare"])) if "model" in PARTS else ():
            begin = time.time()
            ids = engine({"ids": prompt, "predict": most, "temperature": 0, **beginning_with(c["begun"])})["ids"]
            seconds += time.time() - begin
            answers[name] = written(docs.tok, ids, c["begun"])
        answers["copy"] = copied_lines(c["said"], c["lines"])
        for name, model in mixed.items() if not block else ():
            prompt = c["plain"] if isinstance(model.base, Ngram) else c["pack"]
            ids = model.greedy(prompt, c["plain"], 24, docs.eos, c["begun"].encode(), docs.tok.bytes_of)
            answers[name] = written(docs.tok, ids, c["begun"])
        if number < len(before) and before[number]["hole"] == hole:
            answers = before[number]["answers"] | answers
        kept.append({"hole": hole, "answers": answers})
        for name, answer in answers.items():
            answer, want = cut(answer, c["lines"]), c["want"].rstrip()
            s = score[name]
            s["cases"] += 1
            s["exact"] += answer == want
            right[name].append(answer == want)
            s["similarity"] += similarity(answer, want)
            if errors is not None and answer.strip():
                true, made = (errors({"path": c["path"], "text": c["text"][:c["first"]] + t + c["text"][c["last"]:]})
                              for t in (c["want"], answer))
                s["said"] += 1
                s["parses"] += made <= true
    if said_before:
        said_before.write_text("".join(json.dumps(k) + "\n" for k in kept))
    result = {n: {"exact": round(s["exact"] / cases, 3), "similarity": round(s["similarity"] / cases, 3),
                  **({"parses": round(s["parses"] / s["said"], 3)} if s["said"] else {})} for n, s in score.items()}
    pairs = {f"nano_pack - {n}": compared(right["nano_pack"], r) for n, r in right.items()
             if n != "nano_pack" and len(r) == len(right.get("nano_pack", [])) == cases}
    return {"cases": cases, **result, **pairs, "seconds_per_completion": round(seconds / (2 * cases), 3)}


def main() -> int:
    if len(sys.argv) < 4:
        print("usage: evaluate.py FILES.jsonl MODEL_FOLDER BUILD_FOLDER [CASES] [NGRAM_TOKENS]", file=sys.stderr)
        return 2
    files, folder, build = sys.argv[1:4]
    cases = int(sys.argv[4]) if len(sys.argv) > 4 else 300
    budget = int(sys.argv[5]) if len(sys.argv) > 5 else 20_000_000
    tok, unseen = Tokenizer(folder + "/tokenizer.json"), Corpus(files, "eval")
    torch.set_num_threads(1)
    apart, counts = from_training(files, tok, budget, "rivals" in PARTS)
    engine = Asked(build + "/ambit", "model", "session", "--model", folder, "--threads", os.environ.get("NANO_THREADS", "0"))
    run = Path(files).parent / "run"  # the training's kernels are kept there
    run.mkdir(exist_ok=True)
    nano = NanoAsBase(fast.attach(load_released(folder), str(run)), engine)
    models = ({"nano": nano} if "model" in PARTS else {}) | ({"nano_cache": Mixed(nano)} if "cache" in PARTS else {})
    if counts:
        models |= {"ngram": counts, "ngram_cache": Mixed(counts)}
    for model in models.values():
        if isinstance(model, Mixed):
            model.fit(apart)
    result: dict = {"ngram_tokens": budget, "bits_per_byte": bits_per_byte(unseen, tok, models)}
    result["shares_by_context"] = {n: [round(float(s), 2) for s in m.share]
                                   for n, m in models.items() if isinstance(m, Mixed)}
    parser = Path(build) / "parse_errors"
    errors = Asked(str(parser)) if parser.exists() else None
    answers = os.environ.get("NANO_ANSWERS")
    for name, seed in (("line", 12), ("block", 13)):
        docs, rng = Documents(unseen, tok, LENGTH, 3), random.Random(seed)
        result[name] = fill(docs, rng, cases if name == "line" else min(cases, 300), name == "block", engine, errors,
                            {n.replace("cache", "cache_pack"): m for n, m in models.items() if isinstance(m, Mixed)},
                            Path(f"{answers}.{name}") if answers else None)
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
