"""Byte-level BPE with DeepSeek-V4's pre-tokenizer: training, encoding, tokenizer.json.

    python3 tokenizer.py FILES.jsonl V4_TOKENIZER.json OUT.json [VOCAB]

Ids: 0 BOS, 1 EOS, 2 pad, 3.. the 256 bytes and the merged tokens, and from VOCAB-kReserved on the
other special tokens of V4 with their strings (V4's placeholders left out).
"""

import collections
import json
import random
import re
import sys
import unicodedata

kReserved = 64
PATTERN_DIGITS = r"\p{N}{1,3}"
PATTERN_CJK = "[一-龥぀-ゟ゠-ヿ]+"
PATTERN_REST = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^""" "\r\n"
                r"""\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[""" "\r\n]*"
                r"""|\s*[""" "\r\n" r"""]+|\s+(?!\S)|\s+""")


def category_ranges() -> dict[str, str]:
    """For each major Unicode category the inside of a character class of Python's re."""
    spans: dict[str, list[list[int]]] = collections.defaultdict(list)
    for point in range(0x30000):
        name = unicodedata.category(chr(point))[0]
        if spans[name] and spans[name][-1][1] == point - 1:
            spans[name][-1][1] = point
        else:
            spans[name].append([point, point])
    return {name: "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in ranges) for name, ranges in spans.items()}


def compiled_splits() -> tuple[re.Pattern, re.Pattern]:
    """(the first two splits as one alternation, the third), for Python's re."""
    ranges = category_ranges()
    expand = lambda p: re.sub(r"\\p\{(\w)\}", lambda m: ranges[m.group(1)], p)
    digits = "[" + ranges["N"] + "]{1,3}"
    return re.compile(f"{digits}|{PATTERN_CJK}"), re.compile(expand(PATTERN_REST))


def byte_letters() -> list[str]:
    """GPT-2's printable stand-in of every byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {}, 0
    for b in range(256):
        if b in plain:
            letters[b] = chr(b)
        else:
            letters[b], extra = chr(256 + extra), extra + 1
    return [letters[b] for b in range(256)]


class PreTokenizer:
    def __init__(self) -> None:
        self.first, self.rest = compiled_splits()

    def split(self, text: str) -> list[str]:
        words, at = [], 0
        for found in self.first.finditer(text):
            if found.start() > at:
                words += self.rest_of(text[at:found.start()])
            words.append(found.group())
            at = found.end()
        if at < len(text):
            words += self.rest_of(text[at:])
        return words

    def rest_of(self, text: str) -> list[str]:
        words, at = [], 0
        for found in self.rest.finditer(text):
            if found.start() > at:
                words.append(text[at:found.start()])
            words.append(found.group())
            at = found.end()
        if at < len(text):
            words.append(text[at:])
        return words


def train_merges(words: dict[bytes, int], count: int) -> list[tuple[bytes, bytes]]:
    """The `count` most frequent merges, ties to the smaller pair; counts are kept incrementally."""
    parts = [[bytes([b]) for b in w] for w in words]
    freq = list(words.values())
    pairs: collections.Counter = collections.Counter()
    where: dict[tuple[bytes, bytes], set[int]] = collections.defaultdict(set)
    for i, p in enumerate(parts):
        for pair in zip(p, p[1:]):
            pairs[pair] += freq[i]
            where[pair].add(i)
    merges = []
    while len(merges) < count and pairs:
        best = max(pairs.items(), key=lambda item: (item[1], item[0]))[0]
        merges.append(best)
        a, b = best
        for i in where.pop(best):
            old, f = parts[i], freq[i]
            new, j = [], 0
            while j < len(old):
                if j + 1 < len(old) and old[j] == a and old[j + 1] == b:
                    new.append(a + b)
                    j += 2
                else:
                    new.append(old[j])
                    j += 1
            for pair in zip(old, old[1:]):
                pairs[pair] -= f
                if pairs[pair] <= 0:
                    del pairs[pair]
            for pair in zip(new, new[1:]):
                pairs[pair] += f
                where[pair].add(i)
            parts[i] = new
        pairs.pop(best, None)
    return merges


class Tokenizer:
    """Encoding and decoding with a tokenizer.json of this program. Not for threads (word cache)."""

    def __init__(self, path: str) -> None:
        data = json.load(open(path))
        byte_of = {c: b for b, c in enumerate(byte_letters())}
        raw = lambda s: bytes(byte_of[c] for c in s)
        self.special = {t["content"]: t["id"] for t in data["added_tokens"]}
        self.vocab = {raw(k): v for k, v in data["model"]["vocab"].items() if k not in self.special}
        self.bytes_of = {v: k for k, v in self.vocab.items()}
        self.bytes_of.update({v: k.encode() for k, v in self.special.items()})
        pair = lambda m: m if isinstance(m, list) else m.split(" ")
        self.rank = {tuple(raw(x) for x in pair(m)): i for i, m in enumerate(data["model"]["merges"])}
        self.pre = PreTokenizer()
        self.cache: dict[str, list[int]] = {}

    def word(self, text: str) -> list[int]:
        found = self.cache.get(text)
        if found is not None:
            return found
        parts = [bytes([b]) for b in text.encode("utf8")]
        while len(parts) > 1:
            rank, i = min((self.rank.get(p, 1 << 30), i) for i, p in enumerate(zip(parts, parts[1:])))
            if rank == 1 << 30:
                break
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        ids = [self.vocab[p] for p in parts]
        if len(self.cache) < 400_000:
            self.cache[text] = ids
        return ids

    def encode(self, text: str) -> list[int]:
        return [i for w in self.pre.split(text) for i in self.word(w)]

    def decode(self, ids) -> str:
        return b"".join(self.bytes_of.get(int(i), b"") for i in ids).decode("utf8", "replace")


def main() -> int:
    files, released, out = sys.argv[1:4]
    vocab_size = int(sys.argv[4]) if len(sys.argv) > 4 else 8192
    by_language: dict[str, list[str]] = collections.defaultdict(list)
    for line in open(files):
        d = json.loads(line)
        if d["split"] == "train":
            by_language[d["language"]].append(d["text"])
    pre, counts = PreTokenizer(), collections.Counter()
    for texts in by_language.values():
        random.Random(7).shuffle(texts)
        budget = 2_000_000
        for text in texts:
            counts.update(pre.split(text[:8000]))
            budget -= min(len(text), 8000)
            if budget < 0:
                break
    words = {w.encode(): n for w, n in counts.items() if n > 1}
    merges = train_merges(words, vocab_size - kReserved - 3 - 256)

    data = json.load(open(released))
    letters = byte_letters()
    show = lambda raw: "".join(letters[b] for b in raw)
    vocab = {t["content"]: t["id"] for t in data["added_tokens"] if t["id"] < 3}
    for b in range(256):
        vocab[letters[b]] = 3 + b
    for i, (a, b) in enumerate(merges):
        vocab[show(a + b)] = 259 + i
    added = [t for t in data["added_tokens"] if t["id"] < 3]
    tail = [t for t in data["added_tokens"]
            if t["id"] >= 3 and "place" not in t["content"] and "mm_span" not in t["content"]]
    for i, t in enumerate(tail[:kReserved]):
        added.append({**t, "id": vocab_size - kReserved + i})
    data["added_tokens"] = added
    data["model"]["vocab"] = vocab
    data["model"]["merges"] = [f"{show(a)} {show(b)}" for a, b in merges]
    json.dump(data, open(out, "w"), ensure_ascii=False)
    print(f"{len(merges)} merges from {len(words)} words, {len(added)} special tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main())
