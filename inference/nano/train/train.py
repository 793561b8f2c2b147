"""Trains ambit-nano:  python3 train.py FILES.jsonl TOKENIZER.json CONFIG.json RUN_FOLDER MINUTES [SEED]

Time, not steps, is the budget: warm-up, constant rate, and over the last third of MINUTES a linear
decay with the checkpoint's rounding in the loop. RUN_FOLDER/stable.pt holds the state before the
decay (a later run goes on from it), RUN_FOLDER/final.pt the result, log.tsv the losses.
"""

import json
import math
import os
import sys
import time

import torch
import torch.nn.functional as F

import bigram
from documents import Corpus, Documents
from model import Config, Model, released_name
from optim import Muon
from quant import is_fp4, is_fp8, rounded
from tokenizer import Tokenizer

LENGTH, DECAY_PART = 512, 0.35
ROWS = int(os.environ.get("NANO_ROWS", "4"))
MUON_LR, ADAM_LR, WORD_LR = 0.02, 3e-3, 3e-3


def save(path: str, **state) -> None:
    torch.save(state, path + ".partial")
    os.replace(path + ".partial", path)


def main() -> int:
    files, tokenizer, config, folder, minutes = sys.argv[1:6]
    seed = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    torch.manual_seed(seed)
    torch.set_num_threads(int(os.environ.get("NANO_THREADS", "2")))
    os.makedirs(folder, exist_ok=True)
    model = Model(Config(json.load(open(config)))).train()
    named = dict(model.named_parameters())
    matrices = [p for n, p in named.items() if p.dim() == 2 and not any(
        w in n for w in ("embed", "head.weight", "hc_", "ape", "gate.weight", "weights_proj"))]
    chosen = {id(p) for p in matrices}
    muon = Muon(matrices, MUON_LR)
    # Rows of the vocabulary are met seldom, so they take longer steps.
    words = [named["embed.weight"], named["head.weight"]]
    others = [p for p in named.values() if id(p) not in chosen and all(p is not w for w in words)]
    adam = torch.optim.Adam([{"params": words, "full": WORD_LR}, {"params": others, "full": ADAM_LR}], betas=(0.9, 0.97))
    quantised = [(n, p) for n, p in named.items() if is_fp4(n) or is_fp8(released_name(n))]

    step = tokens = 0
    stable = folder + "/stable.pt"
    if os.path.exists(stable):
        state = torch.load(stable)
        model.load_state_dict(state["model"])
        muon.state, step, tokens = state["muon"], state["step"], state["tokens"]
        adam.load_state_dict(state["adam"])
    corpus, tokens_of = Corpus(files, "train"), Tokenizer(tokenizer)
    docs = Documents(corpus, tokens_of, LENGTH, seed * 7919 + step)
    if step == 0:
        print(f"bigram start: {bigram.start(model, corpus, tokens_of, 1_500_000, 40):.3f} nats", flush=True)
    print(f"{sum(p.numel() for p in named.values()) / 1e6:.2f} M parameters, from step {step}", flush=True)

    begin, saved, decaying, window, last_tokens = time.time(), time.time(), False, [], tokens
    total = float(minutes) * 60
    log = open(folder + "/log.tsv", "a")
    everything = lambda: dict(model=model.state_dict(), muon=muon.state, adam=adam.state_dict(), step=step, tokens=tokens)
    while True:
        spent = (time.time() - begin) / total
        if spent >= 1:
            break
        if spent > 1 - DECAY_PART and not decaying:
            decaying = True
            save(stable, **everything())
        if time.time() - saved > 180 and not decaying:
            saved = time.time()
            save(stable, **everything())
        rate = min(1.0, (step + 1) / 40) * (max(0.02, (1 - spent) / DECAY_PART) if decaying else 1.0)
        rows_now = ROWS if tokens > 400_000 else max(1, ROWS // 2)  # small batches learn faster at first
        rows, weights = docs.batch(rows_now)
        ids, w = torch.tensor(rows), torch.tensor(weights)
        masters = []
        if decaying:  # straight through: forward and backward with what the file will hold
            with torch.no_grad():
                for name, p in quantised:
                    masters.append(p.data)
                    p.data = rounded(name, p.data)
        x = model.streams(ids[:, :-1])
        wt = w[:, 1:].flatten()
        loss = (F.cross_entropy(model.logits(x).flatten(0, 1), ids[:, 1:].flatten(), reduction="none") * wt).sum() / wt.sum()
        whole = loss + 0.1 * sum(l.attn.index_loss for l in model.layers if l.attn.ratio == 4)
        if step % 4 == 0:  # the draft block learns from the trunk, not the trunk from it
            m = model.mtp_logits(x[:, :-1].detach(), ids[:, 1:-1])
            wm = w[:, 2:].flatten()
            whole = whole + 0.3 * (F.cross_entropy(m.flatten(0, 1), ids[:, 2:].flatten(), reduction="none") * wm).sum() / wm.sum()
        for p in named.values():
            p.grad = None
        whole.backward()
        for (_, p), master in zip(quantised, masters):
            p.data = master
        torch.nn.utils.clip_grad_norm_([p for p in named.values() if p.grad is not None], 1.0)
        for group in adam.param_groups:
            group["lr"] = group["full"] * rate
        adam.step()
        muon.step(rate)
        for layer in model.layers:
            if not layer.ffn.gate.hashed:
                load = layer.ffn.load.float()
                layer.ffn.gate.bias += 0.002 * rate * (load.mean() - load).sign()
        step, tokens = step + 1, tokens + LENGTH * rows_now
        window.append(loss.item())
        if step % 25 == 0:
            line = f"{step}\t{tokens}\t{sum(window) / len(window):.4f}\t{(tokens - last_tokens) / (time.time() - begin):.0f}\t{rate:.3f}"
            print(line, flush=True)
            log.write(line + "\n")
            log.flush()
            window = []
            if not math.isfinite(loss.item()):
                print("the loss is not finite; stopped", file=sys.stderr)
                return 1
    save(folder + "/final.pt", model=model.state_dict(), step=step, tokens=tokens)
    return 0


if __name__ == "__main__":
    sys.exit(main())
