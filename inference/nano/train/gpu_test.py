"""Compares gpu.py with the definition, values and gradients:  python3 gpu_test.py CONFIG.json [compile]

Runs in fp32 on the CPU; with `compile` the blocks go through torch.compile. Exit code 77, with a reason,
where PyTorch is not installed.
"""

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import torch
    import torch.nn.functional as F
except ImportError as e:
    print(f"skipped: {e}; apt install python3-torch")
    sys.exit(77)

import gpu  # noqa: E402
import sinkhorn  # noqa: E402
from model import Model  # noqa: E402
from tested_shape import tested_shape  # noqa: E402


def slow_losses(model: Model, ids: torch.Tensor, weight: torch.Tensor, look: bool):
    """The trunk's loss with the indexers' where they are taught, and the draft's, which stops at the trunk."""
    mean = lambda logits, t, w: (F.cross_entropy(logits.flatten(0, 1), t.flatten(), reduction="none") * w.flatten()).sum() / w.sum()
    x = model.streams(ids[:, :-2])
    loss = mean(model.logits(x), ids[:, 1:-1], weight[:, 1:-1])
    if look:
        loss = loss + 0.1 * sum(l.attn.index_loss for l in model.layers if l.attn.ratio == 4)
    return loss, mean(model.mtp_logits(x.detach(), ids[:, 1:-1]), ids[:, 2:], weight[:, 2:])


def quick_losses(trained: gpu.Trained, ids: torch.Tensor, weight: torch.Tensor, look: bool):
    x, index_loss, _ = trained.streams(ids[:, :-2], look)
    loss = trained.loss(x, ids[:, 1:-1], weight[:, 1:-1]) + 0.1 * index_loss
    return loss, trained.draft_loss(x.detach(), ids[:, 1:-1], ids[:, 2:], weight[:, 2:])


def moved(model: Model) -> Model:
    """Away from the special starting point."""
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * (0.3 if p.dim() == 1 else 0.02))
    return model


def worst_gap(slow: Model, trained: gpu.Trained) -> tuple[float, str]:
    """The largest relative difference of a gradient, and whose."""
    gaps = []
    for name, p in trained.parameters.items():
        at, _, part = name.rpartition(".")
        if part in ("w1", "w2", "w3"):
            g = [slow.get_parameter(f"{at}.experts.{i}.{part}.weight").grad for i in range(slow.c.n_routed_experts)]
            g = torch.stack([torch.zeros(p.shape[1:]) if e is None else e.cpu() for e in g])
        else:
            g = slow.get_parameter(name).grad
            g = torch.zeros(p.shape) if g is None else g.cpu()
        other = torch.zeros(p.shape) if p.grad is None else p.grad.cpu().float()
        gaps.append((((g - other).norm() / (g.norm() + 1e-7)).item(), name))
    return max(gaps)


def sinkhorn_differs(folder: str) -> bool:
    """gpu.cu, compiled for the CPU, against the rounds in PyTorch: values and gradient."""
    source, library = Path(__file__).parent / "gpu.cu", folder + "/gpu_test.so"
    subprocess.run(["g++", "-O2", "-Wno-unknown-pragmas", "-fPIC", "-shared", "-x", "c++", str(source), "-o", library], check=True)
    kernels, rounds, eps = ctypes.CDLL(library), ctypes.c_int64(20), ctypes.c_float(1e-6)
    x = ((torch.randn(50, 4, 4) * 2).softmax(2) + 1e-6).requires_grad_()
    y, g = sinkhorn.plain(x, 20, 1e-6), torch.randn(50, 4, 4)
    y.backward(g)
    out, dx = torch.empty_like(g), torch.empty_like(g)
    address = lambda t: ctypes.c_void_p(t.data_ptr())
    failed = (kernels.sinkhorn_forward(ctypes.c_int64(50), rounds, eps, address(x), address(out), None) or
              kernels.sinkhorn_backward(ctypes.c_int64(50), rounds, eps, address(x), address(g), address(dx), None))
    gaps = [((a - b).norm() / a.norm()).item() for a, b in ((y, out), (x.grad, dx))]
    print(f"gpu.cu: values {gaps[0]:.1e}, gradient {gaps[1]:.1e}")
    return failed or max(gaps) > 1e-5


def main() -> int:
    torch.manual_seed(5)  # one where no two experts score alike
    torch.set_num_threads(1)
    bad = int(sinkhorn_differs(tempfile.mkdtemp()))
    for length, topk in ((70, 64), (300, 64), (514, 1000)):  # with the indexer's choice, and every row
        look = topk < 1000
        slow = moved(Model(tested_shape(index_topk=topk)).train())
        quick = Model(slow.c).train()
        quick.load_state_dict(slow.state_dict())
        trained = gpu.Trained(quick, "cpu", torch.float32, length, "compile" in sys.argv)
        ids = torch.randint(0, slow.c.vocab_size, (2, length + 2))
        weight = torch.rand(2, length + 2) * (torch.rand(2, length + 2) > 0.1)
        results = []
        for losses, model in ((slow_losses, slow), (quick_losses, trained)):
            both = losses(model, ids, weight, look)
            sum(both).backward()
            results.append([e.item() for e in both])
        gap, name = worst_gap(slow, trained)
        ok = max(abs(a - b) for a, b in zip(*results)) < 1e-4 and gap < 2e-3
        bad += not ok
        print(f"{length} tokens: losses {results[0]} and {results[1]}, worst gradient {name} {gap:.1e} {'ok' if ok else 'DIFFERS'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
