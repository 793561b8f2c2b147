"""Trains ambit-nano on a GPU:  python3 train_gpu.py FILES TOKENIZER.json CONFIG.json OUT_FOLDER SECONDS [SEED]

FILES: the JSON lines of fetch.py, or a folder of such files (documents.py).

The recipe of train.py by the graph of gpu.py. SECONDS of wall clock, start and compilation included, decide:
warm-up, a constant rate, then a linear decay over the last NANO_DECAY (0.4) of the training, whose last
NANO_EXACT (0.4) has the indexer's choice and the checkpoint's rounding in the loop. OUT_FOLDER gets
log.tsv (step, tokens, nats per weighted token, the draft's, the same of held-out projects, tokens/s, seconds, rate,
gradient norm), the weights
every 80 seconds (state.pt, from which a later call goes on) and the result final.pt, both in parts (parts.py).
NANO_START: a model folder whose weights the training starts from, instead of the bigram model's; NANO_BATCHES: so many
batches decide instead of SECONDS (to compare shapes); NANO_LOCK: a file that runs on one card hold while they train.
NANO_HELD (4): batches of held-out text; NANO_COMPILERS=0: no processes that compile ahead.
NANO_ROWS (32): sequences at once; NANO_LOADERS (all cores but two): processes that render; NANO_EAGER=1: no
torch.compile; NANO_GRAPHS=0: no CUDA graphs; TORCHINDUCTOR_CACHE_DIR: where compiled code is kept for the next call.
"""

import contextlib
import fcntl
import gc
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import numpy as np

from documents import LENGTH, Corpus, Documents
from loaders import Batches, Loaders
from tokenizer import Tokenizer
import parts

BEGIN = float(os.environ.get("NANO_BEGIN", time.time()))
ROWS, LOADERS = int(os.environ.get("NANO_ROWS", "32")), int(os.environ.get("NANO_LOADERS", max(1, os.cpu_count() - 2)))
DECAY, EXACT = float(os.environ.get("NANO_DECAY", "0.4")), float(os.environ.get("NANO_EXACT", "0.4"))
START, BATCHES = os.environ.get("NANO_START"), int(os.environ.get("NANO_BATCHES", "0"))
MUON_LR, ADAM_LR, WORD_LR = 0.02, 3e-3, 3e-3
kCompileMost = 60  # seconds to wait for the compiling processes
kSave = 80  # seconds between two states on disk
kHeldOut = int(os.environ.get("NANO_HELD", "4"))  # batches of held-out text, for every fifth line of the log
kLast = 6  # seconds for writing the result


def say(*what) -> None:
    print(f"{time.time() - BEGIN:7.1f}", *what, flush=True)


def compile_pieces(config: str, library: str, names: list[str]) -> int:
    """Fills torch's cache on disk: the pieces of the graph are compiled by several processes at once."""
    import torch

    import gpu
    import sinkhorn
    from model import Config, Model

    if os.path.exists(library):
        sinkhorn.use_kernels(library)
    gpu.compile_much()
    trained = gpu.Trained(Model(Config(json.load(open(config)))).train(), "cuda", torch.bfloat16, LENGTH, True)
    for name in names:
        begin = time.time()
        trained.compile_piece(name, ROWS)
        torch.cuda.synchronize()
        say(f"compiled {name}: {time.time() - begin:.1f} s")
    return 0


def start_compilers(config: str, library: str) -> list[subprocess.Popen]:
    """nvcc for gpu.cu, then a process for every large piece of the graph."""
    if not os.path.exists(library):
        os.makedirs(os.path.dirname(library), exist_ok=True)
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gpu.cu")
        done = subprocess.run(["nvcc", "-O3", "-arch=sm_90", "-Xcompiler", "-fPIC", "-shared", source, "-o", library])
        say("gpu.cu:", "compiled" if done.returncode == 0 else "NOT compiled")
    ratios = set(json.load(open(config))["compress_ratios"])
    pieces = [["enter", "merged"], ["loss"], ["experts False"], ["experts True"], *([f"attention {r}"] for r in ratios),
              *([["look 4"]] if 4 in ratios else [])]
    environment = {**os.environ, "NANO_BEGIN": str(BEGIN), "TORCHINDUCTOR_COMPILE_THREADS": "3", "OMP_NUM_THREADS": "1"}
    return [subprocess.Popen([sys.executable, __file__, "--compile", config, library, *names], env=environment) for names in pieces]


def main() -> int:
    if sys.argv[1] == "--compile":
        return compile_pieces(sys.argv[2], sys.argv[3], sys.argv[4:])
    files, vocabulary, config, folder, seconds = sys.argv[1:6]
    seed = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    os.makedirs(folder, exist_ok=True)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.mkdtemp())
    library = os.path.join(os.environ["TORCHINDUCTOR_CACHE_DIR"], "gpu.so")
    wanted = shutil.which("nvcc") and os.environ.get("NANO_EAGER") != "1" and os.environ.get("NANO_COMPILERS") != "0"
    compilers = start_compilers(config, library) if wanted else []
    corpus, tokenizer = Corpus(files, "train", most=10_000), Tokenizer(vocabulary)
    say(f"text read: {sum(e[-1] for e in corpus.ends.values()) / 1e6:.0f} M characters of "
        f"{sum(map(len, corpus.projects.values()))} projects")
    gc.collect()
    gc.freeze()  # the loaders share the text's memory
    loaders = Loaders(corpus, tokenizer, LOADERS, seed * 7919)
    try:
        unseen = Documents(Corpus(files, "eval"), tokenizer, LENGTH, 11)
        held = [tuple(np.array(a) for a in unseen.batch(ROWS)) for _ in range(kHeldOut)]
        say("held-out text rendered")
        return train(loaders, held, config, folder, BEGIN + float(seconds) - kLast, seed, compilers, library)
    finally:
        loaders.stop()
        for p in compilers:
            p.kill()


def train(loaders: Loaders, held: list, config: str, folder: str, deadline: float, seed: int, compilers: list,
          library: str) -> int:
    import torch

    import bigram
    import gpu
    import sinkhorn
    from export import load_released
    from gpu_step import Gradients
    from model import Config, Model, released_name
    from optim import Muon, orthogonal
    from quant import is_fp4, is_fp8, rounded

    stopped: list = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    say("torch", torch.__version__, torch.cuda.get_device_name() if device == "cuda" else device)
    torch.manual_seed(seed)
    gpu.compile_much()
    if device == "cuda":  # graphs are recorded on no default stream, and everything stays on one
        torch.cuda.set_stream(torch.cuda.Stream())
        if os.path.exists(library):
            sinkhorn.use_kernels(library)
    batches = Batches(loaders, ROWS, device)
    model = Model(Config(json.load(open(config)))).train()
    trained = gpu.Trained(model, device, torch.bfloat16 if device == "cuda" else torch.float32, LENGTH,
                          os.environ.get("NANO_EAGER") != "1")
    named, vocab = trained.parameters, model.c.vocab_size
    say(f"{sum(p.numel() for p in named.values()) / 1e6:.2f} M parameters")

    kept = [batches.next() for _ in range(max(1, 768 // ROWS))]
    if START:
        model.load_state_dict(load_released(START).state_dict())
        say("starts from", START)
    else:  # the best bigram model of the first batches; the sublayers are silent
        counts = sum((ids[:, :-1] * vocab + ids[:, 1:])[w[:, 1:] > 0].bincount(minlength=vocab * vocab) for ids, w in kept)
        say(f"bigram start: {bigram.fit(model, counts.float().view(vocab, vocab), 60):.3f} nats")
    if parts.found(folder + "/state.pt"):  # of a run that ended early
        model.load_state_dict(torch.load(io.BytesIO(parts.joined(folder + "/state.pt")), map_location=device))
        say("goes on from state.pt")
    while any(p.poll() is None for p in compilers) and time.time() < BEGIN + kCompileMost:
        time.sleep(0.1)
    say(f"{sum(p.poll() == 0 for p in compilers)} of {len(compilers)} compiling processes are done")

    matrices = {n: p for n, p in named.items() if p.dim() > 1 and not any(
        w in n for w in ("embed", "head.weight", "hc_", "ape", "gate.weight", "weights_proj"))}
    part = lambda n: "draft" if n.startswith("mtp") else "index" if ".indexer." in n else "trunk"
    quick = (lambda g: orthogonal(g.bfloat16()).float()) if device == "cuda" else orthogonal
    muon = {k: Muon([p for n, p in matrices.items() if part(n) == k], MUON_LR, orthogonal=quick)
            for k in ("trunk", "index", "draft")}
    words = ("embed.weight", "head.weight")  # rows of the vocabulary are met seldom, so they have their own steps
    adam = {k: torch.optim.Adam(
        [{"params": [p for n, p in named.items() if n not in matrices and part(n) == k and (n in words) == word],
          "full": WORD_LR if word else ADAM_LR} for word in ((True, False) if k == "trunk" else (False,))],
        betas=(0.9, 0.97), **({"fused": True} if device == "cuda" else {})) for k in muon}
    # A stack of experts is rounded as one of its matrices is.
    file_name = lambda n: n + ".weight" if n.endswith(("ffn.w1", "ffn.w2", "ffn.w3")) else n
    kind_name = lambda n: file_name(n).replace(".ffn.w", ".ffn.experts.0.w")
    quantised = [(released_name(kind_name(n)), p) for n, p in named.items()
                 if is_fp4(kind_name(n)) or is_fp8(released_name(kind_name(n)))]
    round_one = lambda n, p: rounded(n, p.flatten(0, -2)).view(p.shape)

    @contextlib.contextmanager
    def stored():
        """The weights as the checkpoint will hold them, for a while."""
        with torch.no_grad():
            masters = [p.clone() for _, p in quantised]
            for n, p in quantised:
                p.copy_(round_one(n, p))
        yield
        with torch.no_grad():
            for (_, p), m in zip(quantised, masters):
                p.copy_(m)

    def state() -> dict:
        """The weights by the model's names, rounded to bf16."""
        fp32 = lambda n: any(e in n for e in ("hc_", "attn_sink", ".ape", "gate.bias", "tid2eid"))
        return {n: v.cpu() if fp32(n) else v.to(torch.bfloat16).cpu() for n, v in model.state_dict().items()}

    def write(name: str, content: dict) -> None:
        data = io.BytesIO()
        torch.save(content, data)
        parts.write(f"{folder}/{name}", data.getbuffer(), [folder + "/state.pt"])

    gradients = Gradients(trained, ROWS)
    say(f"first losses: {gradients.step(*kept[0], False, True, 1.0)[0].tolist()}")
    if os.environ.get("NANO_LOCK"):
        turn = open(os.environ["NANO_LOCK"], "w")  # until this process ends
        fcntl.flock(turn, fcntl.LOCK_EX)
    if device == "cuda" and os.environ.get("NANO_GRAPHS") != "0":
        try:
            gradients.capture(say)
        except Exception:
            say("no CUDA graphs:")
            traceback.print_exc()
            torch.cuda.synchronize()
    gradients.clear()
    held = [(torch.from_numpy(i).to(device), torch.from_numpy(w).float().to(device)) for i, w in held]

    def on_held_out(exact: bool) -> float:  # with a share of nought in the gradient
        loss = sum(gradients.step(*h, exact, False, 0.0)[0][0] for h in held).item() / len(held)
        gradients.clear()
        return loss

    step, begin, saved, said, within = 0, time.time(), time.time(), time.time(), []
    lines, unseen, done = 0, "", 0
    tokens, seen, sums, drafts, last = torch.zeros((), device=device, dtype=torch.long), 0, 0.0, 0, 0
    log = open(folder + "/log.tsv", "a")
    while not stopped:
        spent = done / BATCHES if BATCHES else (time.time() - begin) / max(1.0, deadline - begin)
        if spent >= 1:
            break
        decaying, exact = spent > 1 - DECAY, spent > 1 - DECAY * EXACT
        loaders.late.value = int(decaying)
        rate = min(1.0, (step + 1) / 200) * (max(0.01, (1 - spent) / DECAY) if decaying else 1.0)
        # Small batches learn faster at first; with the rounding a step costs more beside its batches.
        count, draft = 1 if spent < 0.08 and not START else 3 if exact else 2, step % 4 == 0
        loads, done = 0, done + count
        with stored() if exact else contextlib.nullcontext():  # straight through
            for _ in range(count):
                losses, load, n = gradients.step(*(kept.pop() if kept else batches.next()), exact, draft, 1 / count)
                loads, sums, tokens, last, drafts = loads + load, sums + losses, tokens + n, last + 1, drafts + draft
        with torch.no_grad():
            norm = torch.stack(torch._foreach_norm(gradients.grads())).norm()
            torch._foreach_mul_(gradients.grads(), (1 / (norm + 1e-6)).clamp(max=1.0))
        for k in ["trunk"] + ["index"] * exact + ["draft"] * draft:
            for group in adam[k].param_groups:
                group["lr"] = group["full"] * rate
            adam[k].step()
            muon[k].step(rate)
        gradients.clear()
        if unseen is None:
            unseen = f"{on_held_out(exact):.4f}"
        with torch.no_grad():
            for i, layer in enumerate(model.layers):
                if not layer.ffn.gate.hashed:
                    load = loads[i].float()
                    layer.ffn.gate.bias += 0.002 * rate * (load.mean() - load).sign()
        step += 1
        if device == "cuda":  # this program runs at most two steps ahead of the device, whose time counts
            within.append(torch.cuda.Event())
            within[-1].record()
            if len(within) > 2:
                within.pop(0).synchronize()
        if step == 5 or time.time() - said > 5:
            main_loss, draft_loss = (sums / torch.tensor([last, max(1, drafts)], device=device)).tolist()
            now, total = time.time(), int(tokens)
            line = (f"{step}\t{total}\t{main_loss:.4f}\t{draft_loss:.4f}\t{unseen}\t{(total - seen) / (now - said):.0f}\t"
                    f"{now - BEGIN:.1f}\t{rate:.3f}\t{norm.item():.3f}")
            say(line, f"waited for loaders {batches.waited:.1f} s")
            log.write(line + "\n")
            log.flush()
            said, seen, sums, last, drafts, lines = now, total, 0.0, 0, 0, lines + 1
            unseen = None if lines % 5 == 1 or spent > 0.97 else ""
            if not math.isfinite(main_loss):
                say("the loss is not finite; stopped")
                return 1
            if now - saved > kSave:
                saved = now
                write("state.pt", state())
    with stored():
        say(f"held-out projects at the end: {on_held_out(True):.4f} nats a weighted token")
        content = {"model": state(), "step": step, "tokens": int(tokens)}
    write("final.pt", content)
    say(f"final.pt written; {step} steps, {int(tokens)} tokens, {time.time() - begin:.0f} s of training")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # without waiting for the thread that collects batches
