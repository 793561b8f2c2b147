#!/usr/bin/env python3
"""The weights of the pack's ranking, learnt from what the edits of real commits needed.

packbench.py PROBE REPOSITORY --rows F.rows --budgets 2048 --methods frozen    for each repository
train_ranker.py F.rows...                         judges: each repository by weights learnt from the others
train_ranker.py F.rows... --write indexer/context/weights.inc

Each case is a choice among all definitions of the repository (a softmax over the weighted sum of their features, features.h); the
loss is the surprise at what was needed, novel names three times. Repositories weigh alike. Needs numpy; nothing is random but the
choice of the other definitions, which has a fixed seed.
"""
import argparse, os, re
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
NOVEL, OTHERS, STEPS, DECAY = 3.0, 500, 400, 1e-3


def feature_names():
    with open(os.path.join(HERE, "../../../indexer/context/features.h")) as f:
        body = f.read().split("enum Feature")[1].split("{", 1)[1].split("};")[0]
    return [n for n in re.findall(r"^\s*(k\w+),", body, re.M) if n != "kFeatures"]


def cases(path, width):
    """[(label, row)] arrays: 1 needed, 2 needed and novel."""
    rows = np.fromfile(path, dtype=np.float32)
    rows = rows[:len(rows) // (width + 2) * (width + 2)].reshape(-1, width + 2)
    cuts = np.flatnonzero(np.diff(rows[:, 0].view(np.uint32))) + 1
    return [(c[:, 1], c[:, 2:]) for c in np.split(rows, cuts) if (c[:, 1] > 0).any()]


def fewer(all_cases, rng):
    out = []
    for label, x in all_cases:
        others = np.flatnonzero(label == 0)
        if len(others) > OTHERS:
            others = rng.choice(others, OTHERS, replace=False)
        keep = np.concatenate([np.flatnonzero(label > 0), others])
        out.append((label[keep], x[keep]))
    return out


def train(by_repository):
    xs, segments, weights, n = [], [], [], 0
    for all_cases in by_repository:
        for label, x in all_cases:
            xs.append(x)
            segments.append(np.full(len(label), n, np.int32))
            share = np.where(label == 2, NOVEL, np.where(label == 1, 1.0, 0.0))
            weights.append(share / np.sqrt((label > 0).sum()) / len(all_cases))
            n += 1
    x, segment = np.ascontiguousarray(np.concatenate(xs)), np.concatenate(segments)
    wanted = np.concatenate(weights)
    wanted = (wanted / wanted.sum()).astype(np.float32)
    starts = np.flatnonzero(np.r_[True, np.diff(segment) > 0])
    of_case = np.add.reduceat(wanted, starts)[segment]
    b, mean, square = np.zeros(x.shape[1], np.float32), 0.0, 0.0
    for step in range(1, STEPS + 1):
        score = x @ b
        e = np.exp(score - np.maximum.reduceat(score, starts)[segment])
        p = e / np.add.reduceat(e, starts)[segment]
        gradient = x.T @ (of_case * p - wanted).astype(np.float32) + 2 * DECAY * b
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        move = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
        b = (b - (0.05 if 2 * step > STEPS else 0.1) * move).astype(np.float32)
    return b


def judge(all_cases, b):
    """Share of the needed and of the novel ones among the first 40, 80, 300, 1000."""
    ranks = {1: [], 2: []}
    for label, x in all_cases:
        order = np.argsort(-(x @ b), kind="stable")
        rank = np.empty(len(order), int)
        rank[order] = np.arange(len(order))
        for kind in ranks:
            ranks[kind] += list(rank[label == kind])
    return [100 * np.mean(np.array(ranks[kind]) < k) if ranks[kind] else np.nan for kind in (1, 2) for k in (40, 80, 300, 1000)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("rows", nargs="+")
    p.add_argument("--write")
    args = p.parse_args()
    names = feature_names()
    full = {f: cases(f, len(names)) for f in args.rows}
    rng = np.random.default_rng(1)
    small = {f: fewer(c, rng) for f, c in full.items()}
    if args.write:
        b = train(small.values())
        with open(args.write, "w") as f:
            f.write("// Written by tests/bench/context/train_ranker.py.\nconstexpr Row kWeights = [] {\n  Row w{};\n")
            # Nothing is being typed in the cases.
            f.writelines(f"  w[{n}] = {3.0 if n == 'kCompleting' else x:.3f}F;\n" for n, x in zip(names, b))
            f.write("  return w;\n}();\n")
        return
    print("% seen among the first 40, 80, 300, 1000; needed elsewhere in what is visible too | novel")
    results = []
    for name in args.rows:
        results.append(judge(full[name], train([c for f, c in small.items() if f != name])))
        print(f"{os.path.basename(name):24}" + " ".join(f"{v:6.1f}" for v in results[-1]), flush=True)
    print(f"{'mean':24}" + " ".join(f"{v:6.1f}" for v in np.nanmean(results, axis=0)))


if __name__ == "__main__":
    main()
