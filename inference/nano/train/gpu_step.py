"""A batch's losses and gradients by gpu.py; on a GPU as CUDA graphs, since its four thousand kernels take
longer to launch than to run."""

import torch
import torch.nn.functional as F

from gpu import Trained


class Gradients:
    """`step(ids, weights, look, draft, share)` adds a batch's gradients, times share, to the parameters' .grad.

    Its results (trunk's and draft's loss, experts' loads [layers,E], weighted tokens) lie on the device and hold
    until the next call. Everything runs on the current stream, which must be the same in all calls.
    """

    def __init__(self, trained: Trained, rows: int):
        device, length = trained.model.head.weight.device, trained.length
        self.trained, self.graphs = trained, {}
        self.ids = torch.zeros((rows, length + 1), dtype=torch.long, device=device)
        self.weights = torch.ones((rows, length + 1), device=device)
        self.share = torch.ones((), device=device)
        for p in trained.parameters.values():
            p.grad = torch.zeros_like(p)

    def compute(self, look: bool, draft: bool):
        ids, w = self.ids, self.weights
        x, index_loss, loads = self.trained.streams(ids[:, :-1].contiguous(), look)
        loss = self.trained.loss(x, ids[:, 1:].contiguous(), w[:, 1:].contiguous())
        whole, drafted = loss + 0.1 * index_loss, loss.new_zeros(())
        if draft:  # the draft block learns from the trunk, not the trunk from it
            drafted = self.trained.draft_loss(x.detach(), ids[:, 1:].contiguous(), F.pad(ids[:, 2:], (0, 1)), F.pad(w[:, 2:], (0, 1)))
            whole = whole + 0.3 * drafted
        (whole * self.share).backward()
        return torch.stack((loss.detach(), drafted.detach())), loads, (w[:, 1:] > 0).sum()

    def step(self, ids, weights, look: bool, draft: bool, share: float):
        self.ids.copy_(ids, non_blocking=True)
        self.weights.copy_(weights, non_blocking=True)
        self.share.fill_(share)
        if (look, draft) not in self.graphs:
            return self.compute(look, draft)
        graph, results = self.graphs[look, draft]
        graph.replay()
        return results

    def grads(self) -> list:
        return [p.grad for p in self.trained.parameters.values()]

    def clear(self) -> None:
        torch._foreach_zero_(self.grads())

    def capture(self, say) -> None:
        """Records the graphs; what each replays is compared with what it recorded. Raises where they differ."""
        graphs, pool = {}, torch.cuda.graph_pool_handle()
        norm = lambda: torch.stack(torch._foreach_norm(self.grads())).norm().item()
        for look in (False, True):
            for draft in (False, True):
                for _ in range(2):  # compiles, and warms up what may not happen while recording
                    self.clear()
                    losses = self.compute(look, draft)[0]
                want = losses.tolist(), norm()
                torch.cuda.synchronize()
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, pool=pool, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
                    results = self.compute(look, draft)
                self.clear()
                graph.replay()
                got = results[0].tolist(), norm()
                say(f"graph of look={look} draft={draft}: losses {got[0]} for {want[0]}, gradient {got[1]:.5f} for {want[1]:.5f}")
                if max(abs(a - b) for a, b in zip(got[0], want[0])) > 0.01 or not abs(got[1] - want[1]) < 0.03 * want[1]:
                    raise RuntimeError("a recorded batch is not the computed one")
                graphs[look, draft] = graph, results
        self.clear()
        self.graphs = graphs
