"""Measures ambit-nano on projects that it has not seen, beside two baselines.

    python3 evaluate.py FILES.jsonl MODEL_FOLDER [CASES] [NGRAM_TOKENS]

Bits per byte: files of the held-out projects, each from its start, 512 tokens at most, by language;
the n-gram baseline (interpolated, orders 1-5 over the same tokens, Witten-Bell, mixed with a cache of
the document) sees the same tokens. Line fill: CASES holes that are the rest of a line, SPM, with and
without the pack. A case is right when greedy decoding gives exactly the line (and then ends): the
tokens are compared under teacher forcing, which is the same thing. Copy: the line's rest after the
longest earlier match of the text before the cursor, in the same prompt.
"""

import collections
import json
import math
import random
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "inference/nano/train"))
from documents import Corpus, Documents, cut_end  # noqa: E402
from export import load_released  # noqa: E402
from tokenizer import Tokenizer  # noqa: E402

LENGTH = 512


class Ngram:
    """Interpolated n-gram counts with Witten-Bell weights."""

    def __init__(self, order: int, vocab: int):
        self.order, self.vocab = order, vocab
        self.counts = [collections.defaultdict(collections.Counter) for _ in range(order)]

    def add(self, ids: list[int], at: int) -> None:
        for n in range(min(self.order, at + 1)):
            self.counts[n][tuple(ids[at - n:at])][ids[at]] += 1

    def probability(self, ids: list[int], at: int) -> float:
        p = 1.0 / self.vocab
        for n in range(min(self.order, at + 1)):
            seen = self.counts[n].get(tuple(ids[at - n:at]))
            if seen is None:
                break
            total, kinds = sum(seen.values()), len(seen)
            p = (seen[ids[at]] + kinds * p) / (total + kinds)
        return p


def bits_of_ngram(base: Ngram, ids: list[int]) -> float:
    """Bits of ids[1:], with a cache of the document mixed in (half and half once it has content)."""
    cache, bits = Ngram(4, base.vocab), 0.0
    for at in range(1, len(ids)):
        share = 0.5 if at > 64 else 0.25
        p = (1 - share) * base.probability(ids, at) + share * cache.probability(ids, at)
        bits -= math.log2(p)
        cache.add(ids, at)
    return bits


def copy_line(before: str) -> str:
    """The rest of the line after the longest earlier match of the end of `before`."""
    for size in range(min(60, len(before) - 1), 2, -1):
        at = before.rfind(before[-size:], 0, len(before) - 1)
        if at >= 0:
            rest = before[at + size:]
            return rest[:rest.find("\n")] if "\n" in rest else rest
    return ""


def line_case(docs: Documents, rng: random.Random):
    """(prompt with pack, prompt without, middle ids, text of pack + prefix, middle text)"""
    while True:
        project, index = docs.corpus.draw(rng)
        path, text = project.files[index]
        starts = [i + 1 for i, c in enumerate(text) if c == "\n"]
        if len(starts) < 20:
            continue
        line = rng.randrange(8, len(starts) - 1)
        a, b = starts[line], starts[line + 1] - 1
        body = text[a:b]
        if len(body.strip()) < 8:
            continue
        first = a + len(body) - len(body.lstrip()) + rng.randrange(0, len(body.strip()) // 2)
        middle = docs.tok.encode(text[first:b])
        if not 1 <= len(middle) <= 40:
            continue
        tok = docs.tok
        header = tok.encode(f"### {path}\n")
        suffix = tok.encode(cut_end(text[b:b + 900]))[:100]
        tail = lambda room: tok.encode(text[max(0, first - 1600):first])[-room:]
        pack = docs.pack(project, index, text[max(0, first - 200):first], 200)
        room = LENGTH - len(header) - len(suffix) - len(middle) - 6
        spm = lambda head, prefix: [docs.bos] + head + header + [docs.begin, docs.hole] + suffix + [docs.end] + prefix
        prefix = tail(max(32, room - len(pack)))
        return spm(pack, prefix), spm([], prefix), middle, tok.decode(pack + prefix), text[first:b]


def main() -> int:
    files, folder = sys.argv[1:3]
    cases = int(sys.argv[3]) if len(sys.argv) > 3 else 150
    budget = int(sys.argv[4]) if len(sys.argv) > 4 else 1_500_000
    model, tok, rng = load_released(folder), Tokenizer(folder + "/tokenizer.json"), random.Random(11)
    ngram = Ngram(5, model.c.vocab_size)
    train = Corpus(files, "train")
    while budget > 0:
        project, index = train.draw(rng)
        ids = tok.encode(project.files[index][1][:6000])
        for at in range(len(ids)):
            ngram.add(ids, at)
        budget -= len(ids)

    result: dict = {"bits_per_byte": {}, "line_fill": {}}
    with torch.no_grad():
        for language in ("c", "cpp", "python", "typescript", "javascript", "rust", "go"):
            held_out = [f for _, p in Corpus(files, "eval", language).projects.get(language, []) for f in p.files]
            random.Random(5).shuffle(held_out)
            bits = bits_n = size = 0.0
            for _, text in held_out[:12]:
                ids = [0] + tok.encode(text[:4000])[:LENGTH - 1]
                logits = model(torch.tensor([ids]))[0, :-1]
                bits += F.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum").item() / math.log(2)
                bits_n += bits_of_ngram(ngram, ids)
                size += sum(len(tok.bytes_of[i]) for i in ids[1:])
            if size:
                result["bits_per_byte"][language] = {"nano": round(bits / size, 3), "ngram": round(bits_n / size, 3)}
        docs = Documents(Corpus(files, "eval"), tok, LENGTH, 3)
        score: collections.Counter = collections.Counter()
        for _ in range(cases):
            packed, bare, middle, before, line = line_case(docs, rng)
            for name, prompt in (("nano_pack", packed), ("nano_no_pack", bare)):
                ids = prompt + middle + [docs.eos]
                best = model(torch.tensor([ids]))[0].argmax(-1)[len(prompt) - 1:-1].tolist()
                score[name] += best == middle + [docs.eos]
                score[name + "_first_token"] += best[0] == middle[0]
            score["copy_nearest"] += copy_line(before) == line
        result["line_fill"] = {"cases": cases, **{k: round(v / cases, 3) for k, v in sorted(score.items())}}
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
