#!/usr/bin/env python3
"""Renames symbols of a real repository at random; after each rename its own build or tests must pass.

    random_renames.py AMBIT CLONE --ext .go --check 'go vet ./... && go test .' [--kinds method] [--count 30] [--seed 1]

Each rename keeps the case of the first letter, is applied to a copy, checked with the command, and undone, after
which git must find nothing changed. Prints each refusal and each failure, and a summary; exit code 1 when a check
failed.
"""
import argparse
import random
import re
import sys

from trial import Trial, options


def main():
    parser = argparse.ArgumentParser()
    options(parser)
    parser.add_argument("--kinds", default="function,method,struct,interface,type,constant,field", help="which symbols")
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with Trial(asked.ambit, asked.clone) as trial:
        trial.must_pass(asked.check)
        symbols = trial.symbols(asked, asked.kinds.split(","))
        rng.shuffle(symbols)
        for s in symbols:
            if trial.tried() >= asked.count:
                break
            at = f"{s['path']}:{s['line']}:{s['col']}"
            new = ("Moved" if s["name"][0].isupper() else "moved") + s["name"][0].upper() + s["name"][1:]
            trial.refactor(asked.check, f"{s['kind']} {s.get('scope', '')}.{s['name']} at {at}",
                           lambda why: re.sub(r"\S*[/.]\S*", "…", why)[:120], f"rename {s['name']} to {new}", "--at", at)
        return trial.summary()


if __name__ == "__main__":
    sys.exit(main())
