"""What ambit-nano is measured against: an interpolated n-gram model with a cache, and copying.

`Ngram` is Kneser-Ney with three discounts an order over a training text, in sorted numpy tables.
`Mixed` adds what the document (pack included) says itself: a backing-off model of the ids so far,
with a share that depends on the longest context it has met, fitted by EM on documents of the
training split that the n-gram counts have not seen.
"""

import collections
import math

import numpy as np

MIX = np.uint64(0x9E3779B97F4A7C15)


def extended(hashes: np.ndarray, ids) -> np.ndarray:
    """The hash of (context, id)."""
    with np.errstate(over="ignore"):
        h = (hashes ^ (np.asarray(ids).astype(np.uint64) + np.uint64(1))) * MIX
        return h ^ (h >> np.uint64(29))


class Table:
    """Sorted keys with values; absent keys have value 0."""

    def __init__(self, keys: np.ndarray, *values: np.ndarray):
        self.keys, self.values = keys, values

    def find(self, wanted: np.ndarray) -> list[np.ndarray]:
        at = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        hit = self.keys[at] == wanted
        return [np.where(hit, v[at], 0) for v in self.values]


class Ngram:
    def __init__(self, documents: list[list[int]], vocab: int, order: int = 6):
        self.vocab, self.order = vocab, order
        ids = np.concatenate([np.array(d + [vocab] * order) for d in documents])  # no gram spans documents
        # context[n][i]: hash of the n ids before i, nearest last extended.
        contexts = [np.zeros(len(ids), np.uint64)]
        for n in range(1, order):
            before = np.concatenate((np.full(n, vocab), ids[:-n]))
            contexts.append(extended(contexts[-1], before))
        self.orders = []
        where = np.flatnonzero(ids < vocab)  # below the highest order: one place of every longer gram (Kneser-Ney)
        for n in reversed(range(order)):
            grams, first, count = np.unique(extended(contexts[n][where], ids[where]), return_index=True,
                                            return_counts=True)
            places = where[first]
            ones, twos, threes, fours = (int((count == k).sum()) for k in (1, 2, 3, 4))
            y = ones / max(1, ones + 2 * twos)
            d = np.array([0, 1 - 2 * y * twos / max(1, ones), 2 - 3 * y * threes / max(1, twos),
                          3 - 4 * y * fours / max(1, threes)]).clip(0, 2.9)
            keys, inverse = np.unique(contexts[n][places], return_inverse=True)
            off = d[count.clip(max=3)]
            total, left = np.bincount(inverse, count), np.bincount(inverse, off)
            self.orders.insert(0, (Table(grams, count - off), Table(keys, total, left)))
            where = places

    def probabilities(self, ids: list[int], at: int, words: np.ndarray) -> np.ndarray:
        """Of every word of `words` after ids[:at]."""
        p, context = np.full(len(words), 1.0 / self.vocab), np.zeros(1, np.uint64)
        for n, (grams, contexts) in enumerate(self.orders):
            if n > 0:
                context = extended(context, [ids[at - n] if at >= n else self.vocab])
            total, left = (float(v[0]) for v in contexts.find(context))
            if total == 0:
                break
            p = (grams.find(extended(np.repeat(context, len(words)), words))[0] + left * p) / total
        return p

    def text(self, ids: list[int]) -> np.ndarray:
        """Probability of every id of ids[1:]."""
        a = np.array(ids)
        p, context = np.full(len(a) - 1, 1.0 / self.vocab), np.zeros(len(a) - 1, np.uint64)
        alive = np.ones(len(a) - 1, bool)
        for n, (grams, contexts) in enumerate(self.orders):
            if n > 0:
                before = np.concatenate((np.full(n, self.vocab), a[:-n]))[1:]
                context = extended(context, before)
            total, left = contexts.find(context)
            alive &= total > 0
            seen = grams.find(extended(context, a[1:]))[0]
            p = np.where(alive, (seen + left * p) / np.maximum(total, 1), p)
        return p


class Cache:
    """The ids so far as an n-gram model (Witten-Bell), and the length of the longest known context."""

    def __init__(self, order: int = 8):
        self.order = order
        self.counts: list[dict] = [collections.defaultdict(collections.Counter) for _ in range(order)]

    def add(self, ids: list[int], at: int) -> None:
        for n in range(min(self.order, at + 1)):
            self.counts[n][tuple(ids[at - n:at])][ids[at]] += 1

    def longest(self, ids: list[int], at: int) -> int:
        for n in reversed(range(min(self.order, at + 1))):
            if tuple(ids[at - n:at]) in self.counts[n]:
                return n
        return 0

    def probabilities(self, ids: list[int], at: int, words: np.ndarray) -> np.ndarray:
        """Of `words`: one id, or all ids in order."""
        p = np.zeros(len(words))
        for n in range(min(self.order, at + 1)):
            seen = self.counts[n].get(tuple(ids[at - n:at]))
            if seen is None:
                break
            total, kinds = sum(seen.values()), len(seen)
            p *= kinds / (total + kinds)
            if len(words) == 1:
                p[0] += seen.get(int(words[0]), 0) / (total + kinds)
            else:
                p[list(seen.keys())] += np.array(list(seen.values())) / (total + kinds)
        return p


class Mixed:
    def __init__(self, base: Ngram):
        self.base, self.share = base, np.linspace(0.1, 0.8, 8)

    def pairs(self, ids: list[int]):
        """(probability by counts, by the cache, longest context) of every id of ids[1:]."""
        cache, far = Cache(), self.base.text(ids)
        for at in range(1, len(ids)):
            yield far[at - 1], cache.probabilities(ids, at, np.array([ids[at]]))[0], cache.longest(ids, at)
            cache.add(ids, at)

    def fit(self, documents: list[list[int]]) -> None:
        seen = [np.array(list(self.pairs(d))) for d in documents]
        far, near, longest = np.concatenate(seen).T
        for _ in range(30):
            s = self.share[longest.astype(int)]
            mine = s * near / (s * near + (1 - s) * far)
            self.share = np.array([mine[longest == k].mean() if (longest == k).any() else 0.5 for k in range(8)])

    def bits(self, ids: list[int], known: int) -> float:
        """Of ids behind the first `known`."""
        pairs = list(self.pairs(ids))[known - 1:]
        return -sum(math.log2(self.share[k] * near + (1 - self.share[k]) * far) for far, near, k in pairs)

    def greedy(self, prompt: list[int], said: list[int], most: int, stop: int, begun: bytes,
               bytes_of: dict[int, bytes]) -> list[int]:
        """The likeliest next id, again and again, to `stop` (left out), a line's end or `most` ids; the text
        begins with `begun`. The base continues `prompt`, the cache `said`, the same text without marks."""
        said, cache, words = list(said), Cache(), np.arange(self.base.vocab)
        for at in range(1, len(said)):
            cache.add(said, at)
        out: list[int] = []
        while len(out) < most:
            s = self.share[cache.longest(said, len(said))]
            near = cache.probabilities(said, len(said), words)
            p = s * near + (1 - s) * self.base.probabilities(prompt + out, len(prompt) + len(out), words)
            if begun:
                fits = [i for i, b in bytes_of.items() if b.startswith(begun) or begun.startswith(b)]
                best = max(fits, key=lambda i: p[i])
                begun = begun[len(bytes_of[best]):]
            else:
                best = int(np.argmax(p))
            if best == stop:
                break
            out.append(best)
            if b"\n" in bytes_of[best]:
                break
            said.append(best)
            cache.add(said, len(said) - 1)
        return out


def copied_line(before: str) -> str:
    """The rest of the line after the longest earlier match of the end of `before`."""
    for size in range(min(80, len(before) - 1), 2, -1):
        at = before.rfind(before[-size:], 0, len(before) - 1)
        if at >= 0:
            rest = before[at + size:]
            return rest[:rest.find("\n")] if "\n" in rest else rest
    return ""


def copied_lines(before: str, lines: int) -> str:
    """The same for the next `lines` lines."""
    for size in range(min(80, len(before) - 1), 2, -1):
        at = before.rfind(before[-size:], 0, len(before) - 1)
        if at >= 0:
            return "\n".join(before[at + size:].split("\n")[:lines])
    return ""
