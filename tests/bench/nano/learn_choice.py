"""Learns how the repository's memory and ambit-nano choose a line together, and says what it brings.

    python3 learn_choice.py LEARN.jsonl LEARN_PROJECTS EVAL.jsonl EVAL_PROJECTS MODEL_FOLDER BUILD_FOLDER

The .jsonl files are what `completion_bench candidates COUNT PROJECT…` printed for folders of the
projects' folder. The model writes a line for every hole and rates the memory's best four and its own
(prompts of 928 tokens with a pack as in training); a logistic function of `features` is
fitted to whether a text is exactly the hidden one. Prints exact matches of the memory alone, the
model alone, both, and the nearest match and counts with a cache; and for the thresholds of
daemon/assists/completion/memory.h how many lines show and how many of them are right.
"""

import json
import math
import os
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "inference/nano/train"))
from documents import LENGTH, Documents, Project  # noqa: E402
from evaluate import Asked, beginning_with, written  # noqa: E402
from tokenizer import Tokenizer  # noqa: E402

THRESHOLDS = (0.12, 0.35)


def logit(p: float) -> float:
    p = min(max(p, 1e-4), 1 - 1e-4)
    return math.log(p / (1 - p))


def features(text: str, guess: dict | None, written: bool, logprobs: list[float], likeliest: float) -> list[float]:
    """What both know of a text; natural logarithms, the last of `logprobs` is that of ending there.
    `likeliest`: the sum for the candidate that the model likes best."""
    total, end = sum(logprobs[:-1]), logprobs[-1]
    remembered, own = float(guess is not None), float(written)
    return [1.0, remembered, max(guess["log_probability"], -10.0) if guess else 0.0,
            logit(guess["confidence"]) if guess else 0.0, own, remembered * own, max(total, -40.0),
            max(min([0.0] + logprobs[:-1]), -12.0), max(end, -12.0), math.exp(total),
            max(sum(logprobs) - likeliest, -20.0), math.log2(1 + len(logprobs)), math.log2(1 + len(text.encode()))]


def project_at(folder: Path, name: str) -> Project:
    files = [f for f in sorted(folder.rglob("*")) if f.is_file() and ".git" not in f.parts]
    return Project([(str(f.relative_to(folder)), f.read_text(errors="replace")) for f in files], name.split("-", 1)[1])


def rated(cases: str, projects: Path, docs: Documents, engine: Asked) -> list[dict]:
    """Every case with `model`, what the model wrote, and `texts`: (text, features)."""
    known: dict[str, Project] = {}
    out = []
    for number, line in enumerate(open(cases)):
        c = json.loads(line)
        if c["repository"] not in known:
            known[c["repository"]] = project_at(projects / c["repository"], c["repository"])
        project, tok = known[c["repository"]], docs.tok
        index = next((i for i, (path, _) in enumerate(project.files) if path == c["path"]), -1)
        docs.rng = random.Random(number)
        head = docs.pack(project, index, c["before"][-600:] + c["after"][:300], 300) + tok.encode(f"### {c['path']}\n")
        prompt, begun = docs.ask(head, c["before"], c["after"], LENGTH - 96)
        ids = engine({"ids": prompt, "predict": 40, "temperature": 0, **beginning_with(begun)})["ids"]
        c["model"] = written(tok, ids, begun).split("\n")[0].rstrip()
        guesses = {g["text"]: g for g in c["guesses"][:4]}
        c["texts"] = []
        for text in dict.fromkeys([*guesses, c["model"]]):
            if text:
                answer = tok.encode(begun + text + "\n")  # the last id is that of ending there
                chosen = engine({"ids": prompt, "answer": answer})["chosen"]
                c["texts"].append((text, guesses.get(text), text == c["model"], chosen))
        likeliest = max((sum(chosen) for *_, chosen in c["texts"]), default=0.0)
        c["texts"] = [(text, features(text, guess, written_so, chosen, likeliest))
                      for text, guess, written_so, chosen in c["texts"]]
        out.append(c)
    return out


def right(text: str, c: dict) -> bool:
    return text.rstrip() == c["hidden"].rstrip()


def fitted(cases: list[dict], columns: list[int]) -> np.ndarray:
    x = np.array([f for c in cases for _, f in c["texts"]])[:, columns]
    y = np.array([right(t, c) for c in cases for t, _ in c["texts"]], float)
    w, ridge = np.zeros(len(columns)), 3e-4 * len(x)
    for _ in range(60):
        p = 1 / (1 + np.exp(-x @ w))
        w -= np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge * np.eye(len(w)), x.T @ (p - y) + ridge * w)
    return w


def shown(cases: list[dict], columns: list[int], w: np.ndarray) -> list[tuple[float, bool]]:
    """(confidence, right) of the best text of every case that has one."""
    out = []
    for c in cases:
        sure = [(1 / (1 + math.exp(-float(np.array(f)[columns] @ w))), right(t, c)) for t, f in c["texts"]]
        out += [max(sure, key=lambda s: s[0])] if sure else []
    return out


def report(name: str, cases: list[dict], best: list[tuple[float, bool]]) -> None:
    counts = {f"{t:.2f}": [sum(p >= t for p, _ in best), sum(r for p, r in best if p >= t)] for t in THRESHOLDS}
    print(json.dumps({"chooser": name, "cases": len(cases), "exact": round(sum(r for _, r in best) / len(cases), 3),
                      "shown_and_right_from": counts}))


def main() -> int:
    if len(sys.argv) != 7:
        print(__doc__.split("\n\n")[1].strip(), file=sys.stderr)
        return 2
    learn, learn_projects, held, held_projects, model, build = sys.argv[1:]
    docs = Documents(None, Tokenizer(model + "/tokenizer.json"), LENGTH, 3)
    engine = Asked(build + "/ambit", "model", "session", "--model", model)
    train, test = (rated(f, Path(p), docs, engine) for f, p in ((learn, learn_projects), (held, held_projects)))
    n = len(test)
    for name, text_of in (("copy", lambda c: c["copy"]), ("ngram_cache", lambda c: c["ngram"]), ("model", lambda c: c["model"])):
        print(json.dumps({"chooser": name, "cases": n, "exact": round(sum(right(text_of(c), c) for c in test) / n, 3)}))
    best = [(c["guesses"][0]["confidence"], right(c["guesses"][0]["text"], c)) for c in test if c["guesses"]]
    report("memory", test, best)
    memory, both = [0, 1, 2, 3], list(range(13))
    report("memory, refitted on the same cases", test, shown(test, memory, fitted(train, memory)))
    weights = fitted(train, both)
    report("together", test, shown(test, both, weights))
    print(json.dumps({"weights": [round(float(w), 4) for w in weights]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
