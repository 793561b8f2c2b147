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
    """`params`: matrices, or stacks of matrices [count,rows,cols]; those of one shape are treated at once."""

    def __init__(self, params: list[Tensor], lr: float, momentum: float = 0.95, decay: float = 0.02,
                 orthogonal=orthogonal):
        self.orthogonal, self.lr, self.momentum, self.decay = orthogonal, lr, momentum, decay
        self.groups: dict[tuple, list[Tensor]] = {}
        for p in params:
            self.groups.setdefault(tuple(p.shape[-2:]), []).append(p)
        self.state = {k: v[0].new_zeros((sum(p.numel() for p in v) // (k[0] * k[1]), *k)) for k, v in self.groups.items()}

    @torch.no_grad()
    def step(self, scale: float) -> None:
        for shape, params in self.groups.items():
            g = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).view(-1, *shape) for p in params])
            m = self.state[shape].mul_(self.momentum).add_(g, alpha=1 - self.momentum)
            update = self.orthogonal(g.lerp(m, self.momentum))
            lr = self.lr * scale * max(1.0, shape[0] / shape[1]) ** 0.5
            for p, u in zip(params, update.split([p.numel() // (shape[0] * shape[1]) for p in params])):
                p.mul_(1 - lr * self.decay).add_(u.view(p.shape), alpha=-lr)
