#!/usr/bin/env python3
"""Changes signatures in a real repository at random; after each change its own build or tests must pass.

    random_signatures.py AMBIT CLONE --ext .go --check 'go vet ./...' --parameter 'extra int' --value 7 [--count 30] [--seed 1]

Of functions with at least two parameters these are reordered, others get one more (--parameter, callers pass
--value, which must be allowed to stay unused). Each change is applied to a copy, checked with the command, and
undone, after which git must find nothing changed. Prints each refusal and each failure, and a summary; exit code 1
when a check failed.
"""
import argparse
import random
import re
import sys

from trial import Trial, options


def main():
    parser = argparse.ArgumentParser()
    options(parser)
    parser.add_argument("--parameter", required=True)
    parser.add_argument("--value", required=True)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with Trial(asked.ambit, asked.clone) as trial:
        trial.must_pass(asked.check)
        symbols = trial.symbols(asked, ("function", "method"))
        rng.shuffle(symbols)
        for s in symbols:
            if trial.tried() >= asked.count:
                break
            at = f"{s['path']}:{s['line']}:{s['col']}"
            # The refusal of a list that says too little names all parameters.
            said = trial.run(trial.ambit, "refactor", "plan", f"reorder parameters of {s['name']} to ,", "--at", at)[1]
            names = re.search(r"each once: (.*)", said)
            words = f'add parameter "{asked.parameter}" to {s["name"]} with {asked.value}'
            if names and rng.random() < 0.7:
                pieces = [re.split(r"[ :*&]+", p.strip()) for p in names[1].split(", ")]
                first = asked.ext in (".go", ".rs", ".py", ".js", ".ts")
                order = [re.sub(r"\W", "", p[0] if first else p[-1]) for p in pieces]
                if len(order) > 1:
                    order = order[1:] + order[:1]
                    words = f"reorder parameters of {s['name']} to {', '.join(order)}"
            trial.refactor(asked.check, f"{words} at {at}", lambda why: re.sub(r"\S*[/.]\S*", "…", why)[:120], words, "--at", at)
        return trial.summary()


if __name__ == "__main__":
    sys.exit(main())
