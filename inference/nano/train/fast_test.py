"""Compares fast.py with the definition, values and gradients:  python3 fast_test.py CONFIG.json [FOLDER]

Exit code 77, with a reason, where PyTorch or OpenBLAS's headers are not installed.
"""

import sys
import tempfile
import time
from pathlib import Path

try:
    import torch
    import torch.nn.functional as F
except ImportError as e:
    print(f"skipped: {e}; apt install python3-torch")
    sys.exit(77)
if not any((Path("/usr/include") / p).exists() for p in ("cblas.h", "x86_64-linux-gnu/cblas.h", "aarch64-linux-gnu/cblas.h")):
    print("skipped: no cblas.h; apt install libopenblas-dev")
    sys.exit(77)

import fast  # noqa: E402
from model import Model  # noqa: E402
from tested_shape import tested_shape  # noqa: E402


def losses(model: Model, ids: torch.Tensor, weight: torch.Tensor, quick: bool) -> torch.Tensor:
    x = model.streams(ids[:, :-2])
    if quick:
        main = fast.loss(model, x, ids[:, 1:-1], weight[:, 1:-1])
        draft = fast.draft_loss(model, x, ids[:, 1:-1], ids[:, 2:], weight[:, 2:])
    else:
        mean = lambda logits, t, w: (F.cross_entropy(logits.flatten(0, 1), t.flatten(), reduction="none") * w.flatten()).sum() / w.sum()
        main = mean(model.logits(x), ids[:, 1:-1], weight[:, 1:-1])
        draft = mean(model.mtp_logits(x, ids[:, 1:-1]), ids[:, 2:], weight[:, 2:])
    return main + 0.3 * draft + 0.1 * sum(l.attn.index_loss for l in model.layers if l.attn.ratio == 4)


def main() -> int:
    torch.manual_seed(3)
    torch.set_num_threads(1)
    slow = Model(tested_shape()).train()
    with torch.no_grad():  # away from the special starting point
        for name, p in slow.named_parameters():
            p.add_(torch.randn_like(p) * (0.3 if p.dim() == 1 else 0.02))
    quick = Model(slow.c).train()
    quick.load_state_dict(slow.state_dict())
    fast.attach(quick, sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp())
    bad = 0
    for length in (70, 300, 514):
        ids = torch.randint(0, slow.c.vocab_size, (2, length))
        weight = torch.rand(2, length) * (torch.rand(2, length) > 0.1)
        seconds, results = [], []
        for model in (slow, quick):
            for p in model.parameters():
                p.grad = None
            begin = time.process_time()
            loss = losses(model, ids, weight, model is quick)
            loss.backward()
            seconds.append(time.process_time() - begin)
            results.append((loss.item(), {n: p.grad for n, p in model.named_parameters()}))
        worst = ("", 0.0)
        for name, g in results[0][1].items():
            other = results[1][1][name]
            if g is None and other is None:
                continue
            g, other = (torch.zeros_like(slow.get_parameter(name)) if e is None else e for e in (g, other))
            gap = ((g - other).norm() / (g.norm() + 1e-7)).item()
            if gap > worst[1]:
                worst = (name, gap)
        ok = abs(results[0][0] - results[1][0]) < 1e-4 and worst[1] < 2e-3
        bad += not ok
        print(f"{length} tokens: loss {results[0][0]:.6f} and {results[1][0]:.6f}, worst gradient {worst[0]} {worst[1]:.1e}, "
              f"{seconds[0]:.2f} s and {seconds[1]:.2f} s {'ok' if ok else 'DIFFERS'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
