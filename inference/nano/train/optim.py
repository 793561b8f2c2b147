"""Muon for the hidden matrices (orthogonalised momentum), Adam for everything else."""

import torch
from torch import Tensor


def orthogonal(g: Tensor) -> Tensor:
    """Newton-Schulz, five rounds, over the last two dimensions."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g / (g.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    flipped = x.size(-2) > x.size(-1)
    if flipped:
        x = x.transpose(-2, -1)
    for _ in range(5):
        m = x @ x.transpose(-2, -1)
        x = a * x + (b * m + c * m @ m) @ x
    return x.transpose(-2, -1) if flipped else x


class Muon:
    def __init__(self, params: list[Tensor], lr: float, momentum: float = 0.95, decay: float = 0.02,
                 orthogonal=orthogonal):
        self.orthogonal, self.lr, self.momentum, self.decay = orthogonal, lr, momentum, decay
        self.groups: dict[tuple, list[Tensor]] = {}
        for p in params:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.state = {k: torch.zeros((len(v), *k)) for k, v in self.groups.items()}

    @torch.no_grad()
    def step(self, scale: float) -> None:
        for shape, params in self.groups.items():
            g = torch.stack([p.grad if p.grad is not None else torch.zeros_like(p) for p in params])
            m = self.state[shape].mul_(self.momentum).add_(g, alpha=1 - self.momentum)
            update = self.orthogonal(g.lerp(m, self.momentum))
            lr = self.lr * scale * max(1.0, shape[0] / shape[1]) ** 0.5
            for p, u in zip(params, update):
                p.mul_(1 - lr * self.decay).add_(u, alpha=-lr)
