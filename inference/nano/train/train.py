"""Trains ambit-nano:  python3 train.py FILES.jsonl TOKENIZER.json CONFIG.json RUN_FOLDER MINUTES [SEED]

Time, not steps, is the budget: warm-up, a constant rate with every visible row attended to, and over
the last part of MINUTES a linear decay, whose second half has the indexer's choice and the
checkpoint's rounding in the loop. RUN_FOLDER/stable.pt holds the state before the decay and
decay.pt that within it, both saved every few minutes and on SIGTERM; a later run goes on from them.
RUN_FOLDER/final.pt is the result, log.tsv the losses: step, tokens, nats per weighted token,
tokens/s, CPU seconds, rate. NANO_THREADS processes (2) share a step's batches; NANO_DECAY is the
decay's part of MINUTES (0.35; 0: none); with NANO_CLOCK=cpu the minutes are of CPU time of all
processes. NANO_COPIES: two shares, see `copies` and `repeats` of documents.py.
"""

import json
import math
import multiprocessing
import os
import signal
import sys
import time

import torch

import bigram
import fast
from documents import LENGTH, Corpus, Documents
from model import Config, Model, released_name
from optim import Muon
from quant import is_fp4, is_fp8, rounded
from tokenizer import Tokenizer

DECAY_PART = float(os.environ.get("NANO_DECAY", "0.35"))
CPU_CLOCK = os.environ.get("NANO_CLOCK") == "cpu"
BATCH = 2 * LENGTH  # tokens
COPIES, REPEATS = (float(x) for x in os.environ.get("NANO_COPIES", "0.15,0.1").split(","))
MUON_LR, ADAM_LR, WORD_LR = 0.02, 3e-3, 3e-3


def save(path: str, **state) -> None:
    torch.save(state, path + ".partial")
    os.replace(path + ".partial", path)


class Worker:
    """Computes batches of a step until none is left; gradients add up in `flat`."""

    def __init__(self, model: Model, corpus: Corpus, tokens: Tokenizer, seed: int):
        self.model, self.docs, self.flat = model, Documents(corpus, tokens, LENGTH, seed), None

    def grads_into(self, flat: torch.Tensor) -> None:
        self.flat, at = flat, 0
        for p in self.model.parameters():
            p.grad = flat[at:at + p.numel()].view_as(p)
            at += p.numel()

    def run(self, job: dict, taken) -> dict:
        model, docs = self.model, self.docs
        self.flat.zero_()
        docs.copies, docs.synthetic = COPIES, REPEATS
        for layer in [*model.layers, *model.mtp]:
            layer.attn.teach, layer.attn.dense = job["sparse"], not job["sparse"]
        losses, loads, trained = [], 0, 0
        while True:
            with taken.get_lock():
                if taken.value >= job["batches"]:
                    break
                taken.value += 1
            rows, weights = docs.batch(job["rows"])
            ids, w = torch.tensor(rows), torch.tensor(weights)
            x = model.streams(ids[:, :-1])
            loss = fast.loss(model, x, ids[:, 1:], w[:, 1:])
            whole = loss
            if job["sparse"]:
                whole = whole + 0.1 * sum(l.attn.index_loss for l in model.layers if l.attn.ratio == 4)
            if job["draft"]:  # the draft block learns from the trunk, not the trunk from it
                whole = whole + 0.3 * fast.draft_loss(model, x[:, :-1].detach(), ids[:, 1:-1], ids[:, 2:], w[:, 2:])
            (whole / job["batches"]).backward()
            losses.append(loss.item())
            loads = loads + torch.stack([l.ffn.load for l in model.layers])
            trained += int((w[:, 1:] > 0).sum())
        return dict(losses=losses, loads=loads, tokens=trained, cpu=time.process_time())


def serve(worker: Worker, pipe, taken) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the first process says when to end, or is gone
    parent = os.getppid()
    while os.getppid() == parent:
        if pipe.poll(5):
            job = pipe.recv()
            if job is None:
                return
            pipe.send(worker.run(job, taken))


def main() -> int:
    files, tokenizer, config, folder, minutes = sys.argv[1:6]
    seed = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    os.makedirs(folder, exist_ok=True)
    model = fast.attach(Model(Config(json.load(open(config)))).train(), folder)
    named = dict(model.named_parameters())
    matrices = {n: p for n, p in named.items() if p.dim() == 2 and not any(
        w in n for w in ("embed", "head.weight", "hc_", "ape", "gate.weight", "weights_proj"))}
    chosen = {id(p) for p in matrices.values()}
    part = lambda n: "draft" if n.startswith("mtp") else "index" if ".indexer." in n else "trunk"
    muon = {k: Muon([p for n, p in matrices.items() if part(n) == k], MUON_LR, orthogonal=fast.orthogonal)
            for k in ("trunk", "index", "draft")}
    # Rows of the vocabulary are met seldom, so they take longer steps.
    words = [named["embed.weight"], named["head.weight"]]
    others = [p for p in named.values() if id(p) not in chosen and all(p is not w for w in words)]
    adam = torch.optim.Adam([{"params": words, "full": WORD_LR}, {"params": others, "full": ADAM_LR}], betas=(0.9, 0.97))
    quantised = [(n, p) for n, p in named.items() if is_fp4(n) or is_fp8(released_name(n))]

    step = tokens = 0
    cpu_before = 0.0
    stable, within = folder + "/stable.pt", folder + "/decay.pt"
    before = 0.0  # part of MINUTES that is over
    found = [f for f in (within, stable) if os.path.exists(f)]
    if found:
        state = torch.load(found[0])
        model.load_state_dict(state["model"])
        for k in muon:
            muon[k].state = state["muon"][k]
        adam.load_state_dict(state["adam"])
        step, tokens, cpu_before, before = state["step"], state["tokens"], state["cpu"], state.get("spent", 0.0)
    corpus, tokens_of = Corpus(files, "train"), Tokenizer(tokenizer)
    if step == 0:
        print(f"bigram start: {bigram.start(model, corpus, tokens_of, 1_500_000, 40):.3f} nats", flush=True)
    print(f"{sum(p.numel() for p in named.values()) / 1e6:.2f} M parameters, from step {step}", flush=True)

    # The other processes see the same parameters; every process has its own gradients.
    model.share_memory()
    count, context = int(os.environ.get("NANO_THREADS", "2")), multiprocessing.get_context("fork")
    size = sum(p.numel() for p in named.values())
    flats = [torch.zeros(size).share_memory_() for _ in range(count)]
    taken, pipes = context.Value("i", 0), []
    for i in range(1, count):
        here, there = context.Pipe()
        helper = Worker(model, corpus, tokens_of, seed * 7919 + step * 31 + i)
        helper.grads_into(flats[i])
        context.Process(target=serve, args=(helper, there, taken), daemon=True).start()
        pipes.append(here)
    worker = Worker(model, corpus, tokens_of, seed * 7919 + step * 31)
    worker.grads_into(flats[0])

    begin, saved, decaying, window, first_tokens = time.time(), time.time(), False, [], tokens
    total, cpu = float(minutes) * 60, cpu_before
    log = open(folder + "/log.tsv", "a")
    everything = lambda: dict(model=model.state_dict(), muon={k: m.state for k, m in muon.items()},
                              adam=adam.state_dict(), step=step, tokens=tokens, cpu=cpu, spent=spent if decaying else 0.0)
    norm, stopped = 0.0, []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    while True:
        spent = before + (cpu - cpu_before if CPU_CLOCK else time.time() - begin) / total
        if spent >= 1 or stopped:
            break
        if spent > 1 - DECAY_PART and not decaying:
            if not before:
                save(stable, **everything())
            decaying = True
        if time.time() - saved > 150:
            saved = time.time()
            save(within if decaying else stable, **everything())
        exact = decaying and spent > 1 - DECAY_PART / 2  # as the file will compute
        rate = min(1.0, (step + 1) / 40) * (max(0.02, (1 - spent) / DECAY_PART) if decaying else 1.0)
        early = tokens < 400_000  # small batches learn faster at first
        job = dict(rows=BATCH // (2 if early else 1) // LENGTH, sparse=exact,
                   batches=2 if tokens < 8_000_000 else 4, draft=step % (4 if exact else 8) == 0)
        masters = []
        if exact:  # straight through: forward and backward with what the file will hold
            with torch.no_grad():
                for name, p in quantised:
                    masters.append(p.detach().clone())
                    p.copy_(rounded(name, p))
        taken.value = 0
        for pipe in pipes:
            pipe.send(job)
        results = [worker.run(job, taken), *[pipe.recv() for pipe in pipes]]
        for other in flats[1:]:
            flats[0] += other
        norm = flats[0].norm().item()
        if not math.isfinite(norm):
            print("a gradient is not finite; stopped", file=sys.stderr)
            break
        flats[0] *= min(1.0, 1.0 / (norm + 1e-6))
        with torch.no_grad():
            for (_, p), master in zip(quantised, masters):
                p.copy_(master)
        for group in adam.param_groups:
            group["lr"] = group["full"] * rate
        adam.step()
        muon["trunk"].step(rate)
        if exact:
            muon["index"].step(rate)
        if job["draft"]:
            muon["draft"].step(rate)
        loads = sum(r["loads"] for r in results)
        for i, layer in enumerate(model.layers):
            if not layer.ffn.gate.hashed:
                load = loads[i].float()
                layer.ffn.gate.bias += 0.002 * rate * (load.mean() - load).sign()
        step, tokens = step + 1, tokens + sum(r["tokens"] for r in results)
        cpu = cpu_before + sum(r["cpu"] for r in results)
        window += [l for r in results for l in r["losses"]]
        if step % 25 == 0:
            speed = (tokens - first_tokens) / (time.time() - begin)
            line = f"{step}\t{tokens}\t{sum(window) / len(window):.4f}\t{speed:.0f}\t{cpu:.0f}\t{rate:.3f}"
            print(line, flush=True)
            log.write(line + "\n")
            log.flush()
            window = []
    for pipe in pipes:
        pipe.send(None)
    if not math.isfinite(norm):
        return 1
    if stopped or not decaying:
        save(within if decaying else stable, **everything())
    if stopped:
        return 0
    save(folder + "/final.pt", model=model.state_dict(), step=step, tokens=tokens, cpu=cpu)
    if os.path.exists(within):
        os.remove(within)
    return 0


if __name__ == "__main__":
    sys.exit(main())
