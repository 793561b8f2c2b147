"""Sinkhorn's rounds over the streams' mixing matrices: in PyTorch, and by gpu.cu as one operator.

torch.compile makes some forty kernels of the rounds, which take longer than the mixing itself.
"""

import ctypes

import torch
from torch import Tensor


def plain(comb: Tensor, rounds: int, eps: float) -> Tensor:
    """comb [N,S,S] (from, to): columns to one, then rows and columns rounds-1 times."""
    comb = comb / (comb.sum(1, keepdim=True) + eps)
    for _ in range(rounds - 1):
        comb = comb / (comb.sum(2, keepdim=True) + eps)
        comb = comb / (comb.sum(1, keepdim=True) + eps)
    return comb


mixed = plain  # what gpu.py calls
kernels: ctypes.CDLL = None


def use_kernels(library: str) -> None:
    """Puts the kernels of gpu.cu, compiled into `library`, in the place of `plain`."""
    global kernels, mixed
    kernels = ctypes.CDLL(library)
    mixed = operator()


def operator():
    def call(name: str, *arguments) -> None:
        passed = [ctypes.c_void_p(a.data_ptr()) if isinstance(a, Tensor) else
                  ctypes.c_float(a) if isinstance(a, float) else ctypes.c_int64(a) for a in arguments]
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream if arguments[-1].is_cuda else None)
        code = getattr(kernels, name)(*passed, stream)
        if code:
            raise RuntimeError(f"{name}: CUDA error {code}")

    @torch.library.custom_op("nano::sinkhorn", mutates_args=())
    def forward(comb: Tensor, rounds: int, eps: float) -> Tensor:
        comb, out = comb.contiguous(), torch.empty_like(comb, memory_format=torch.contiguous_format)
        call("sinkhorn_forward", comb.size(0), rounds, eps, comb, out)
        return out

    @torch.library.custom_op("nano::sinkhorn_backward", mutates_args=())
    def backward(comb: Tensor, grad: Tensor, rounds: int, eps: float) -> Tensor:
        comb, grad = comb.contiguous(), grad.contiguous()
        out = torch.empty_like(comb)
        call("sinkhorn_backward", comb.size(0), rounds, eps, comb, grad, out)
        return out

    empty = lambda comb: torch.empty_like(comb, memory_format=torch.contiguous_format)
    forward.register_fake(lambda comb, rounds, eps: empty(comb))
    backward.register_fake(lambda comb, grad, rounds, eps: empty(comb))

    def setup(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.rest = inputs[1:]

    forward.register_autograd(lambda ctx, g: (backward(ctx.saved_tensors[0], g, *ctx.rest), None, None), setup_context=setup)
    return forward
