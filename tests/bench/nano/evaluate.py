"""Measures ambit-nano on projects that it has not seen, beside the baselines of baselines.py.

    python3 evaluate.py FILES.jsonl MODEL_FOLDER BUILD_FOLDER [CASES] [NGRAM_TOKENS]

BUILD_FOLDER holds `ambit` (it writes the completions) and, built with AMBIT_BENCH, `parse_errors`.
Prints one JSON document:

bits_per_byte: TEXT tokens from the start of up to 40 files a language, each behind its header line. `nano` alone; `ngram` the
counts alone; `ngram_cache` with what the document has said so far; `nano_cache` the same mixture
over nano's distribution. The counts see NGRAM_TOKENS tokens of the training split (20,000,000; they
are kept beside FILES.jsonl, since counting takes minutes and gigabytes).
line, block: CASES holes that are the rest of a line, and CASES that are two to four whole lines;
greedy from the last word's start on, cut to the lines asked for. exact: the same text; similarity: 1 - edit distance / the longer
length; parses: the file has no more grammar errors than with the true text, of completions that say
anything. With the pack (spans of other files of the project, as in training) and without.
NANO_EVALUATE=model or =rivals measures only these; the cases are the same.
"""

import collections
import json
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

PARTS = os.environ.get("NANO_EVALUATE", "model rivals").split()
TEXT, PACK, FILES = 640, 300, 40


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


def counted(files: str, train: Corpus, tok: Tokenizer, rng: random.Random, budget: int, used: set) -> Ngram:
    kept = Path(files).parent / f"ngram-{len(tok.vocab)}-{budget}.pickle"
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    counts = Ngram(sample(train, tok, rng, budget, 4000, used), 1 + max(tok.bytes_of))
    kept.write_bytes(pickle.dumps(counts, protocol=5))
    return counts


def bits_per_byte(files: str, tok: Tokenizer, models: dict) -> dict:
    result = {}
    for language in SHARES:
        held_out = [f for p in Corpus(files, "eval", language).projects.get(language, []) for f in p.files]
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
        pack = docs.pack(project, index, before[-200:], PACK)
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


def fill(docs: Documents, rng: random.Random, cases: int, block: bool, engine: Asked, errors: Asked | None,
         mixed: dict[str, Mixed]) -> dict:
    score: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    seconds = 0.0
    for _ in range(cases):
        c = case(docs, rng, rng.randrange(2, 5) if block else 1)
        most = 96 if block else 40
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
        for name, answer in answers.items():
            answer, want = cut(answer, c["lines"]), c["want"].rstrip()
            s = score[name]
            s["cases"] += 1
            s["exact"] += answer == want
            s["similarity"] += similarity(answer, want)
            if errors is not None and answer.strip():
                true, made = (errors({"path": c["path"], "text": c["text"][:c["first"]] + t + c["text"][c["last"]:]})
                              for t in (c["want"], answer))
                s["said"] += 1
                s["parses"] += made <= true
    result = {n: {"exact": round(s["exact"] / cases, 3), "similarity": round(s["similarity"] / cases, 3),
                  **({"parses": round(s["parses"] / s["said"], 3)} if s["said"] else {})} for n, s in score.items()}
    return {"cases": cases, **result, "seconds_per_completion": round(seconds / (2 * cases), 3)}


def main() -> int:
    if len(sys.argv) < 4:
        print("usage: evaluate.py FILES.jsonl MODEL_FOLDER BUILD_FOLDER [CASES] [NGRAM_TOKENS]", file=sys.stderr)
        return 2
    files, folder, build = sys.argv[1:4]
    cases = int(sys.argv[4]) if len(sys.argv) > 4 else 300
    budget = int(sys.argv[5]) if len(sys.argv) > 5 else 20_000_000
    tok, train, used = Tokenizer(folder + "/tokenizer.json"), Corpus(files, "train"), set()
    torch.set_num_threads(1)
    rng = random.Random(11)
    apart = sample(train, tok, rng, 20_000, TEXT, used)
    engine = Asked(build + "/ambit", "model", "session", "--model", folder)
    run = Path(files).parent / "run"  # the training's kernels are kept there
    run.mkdir(exist_ok=True)
    nano = NanoAsBase(fast.attach(load_released(folder), str(run)), engine)
    models = {"nano": nano, "nano_cache": Mixed(nano)} if "model" in PARTS else {}
    if "rivals" in PARTS:
        counts = counted(files, train, tok, rng, budget, used)
        models |= {"ngram": counts, "ngram_cache": Mixed(counts)}
    for model in models.values():
        if isinstance(model, Mixed):
            model.fit(apart)
    result: dict = {"ngram_tokens": budget, "bits_per_byte": bits_per_byte(files, tok, models)}
    result["shares_by_context"] = {n: [round(float(s), 2) for s in m.share]
                                   for n, m in models.items() if isinstance(m, Mixed)}
    parser = Path(build) / "parse_errors"
    errors = Asked(str(parser)) if parser.exists() else None
    docs, rng = Documents(Corpus(files, "eval"), tok, LENGTH, 3), random.Random(12)
    for name in ("line", "block"):
        result[name] = fill(docs, rng, cases, name == "block", engine, errors,
                            {n.replace("cache", "cache_pack"): m for n, m in models.items() if isinstance(m, Mixed)})
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
