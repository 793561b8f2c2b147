"""The graph of model.py through fast.cpp's kernels: same values, several times faster on a CPU.

`attach(model, folder)` compiles the kernels once (into `folder`) and routes the model's blocks and
losses through them. model.py stays the definition: `python3 fast_test.py` compares both.
"""

import ctypes
import math
import os
import subprocess
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from model import Attention, Block, Collapse, Compressor, HyperConnection, Model, MoE, RMSNorm, rope_table

kernels: ctypes.CDLL = None  # set by attach


class Shape(ctypes.Structure):
    _fields_ = [(n, ctypes.c_int64) for n in ("b", "t", "h", "d", "win", "ratio", "rows", "half")]


def compiled(folder: str) -> ctypes.CDLL:
    here, out = Path(__file__).parent, Path(folder) / "fast.so"
    sources = [here / n for n in ("fast.cpp", "fast_blocks.cpp")]
    if not out.exists() or out.stat().st_mtime < max(s.stat().st_mtime for s in (*sources, here / "fast.h")):
        partial = str(out) + f".{os.getpid()}"
        subprocess.run(["g++", "-std=c++20", "-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fPIC", "-shared",
                        *map(str, sources), "-o", partial, "-lopenblas"], check=True)
        os.replace(partial, out)
    lib = ctypes.CDLL(str(out))
    lib.cross_entropy.restype = ctypes.c_double
    return lib


def call(name: str, *arguments):
    """Tensors by address, integers as int64, floats as float."""
    passed = []
    for a in arguments:
        if isinstance(a, Tensor):
            assert a.is_contiguous()
            passed.append(ctypes.c_void_p(a.data_ptr()))
        elif isinstance(a, float):
            passed.append(ctypes.c_float(a))
        elif isinstance(a, int):
            passed.append(ctypes.c_int64(a))
        else:
            passed.append(a)
    return getattr(kernels, name)(*passed)


class Collapse4(Function):
    @staticmethod
    def forward(ctx, x, fn, scale, base, iters, eps, hc_eps):
        n, d = x.size(0), x.size(2)
        m, r, y = x.new_empty(n, fn.size(0)), x.new_empty(n), x.new_empty(n, d)
        post, comb = x.new_empty(n, 4), x.new_empty(n, 4, 4)
        call("hc_forward", n, d, ctypes.c_int(iters), eps, hc_eps, x, fn, scale, base, m, r, y, post, comb)
        ctx.save_for_backward(x, fn, scale, base, m, r)
        ctx.rest = (iters, hc_eps)
        return y, post, comb

    @staticmethod
    def backward(ctx, dy, dpost, dcomb):
        x, fn, scale, base, m, r = ctx.saved_tensors
        iters, hc_eps = ctx.rest
        dx, dfn, dscale, dbase = (torch.empty_like(t) for t in (x, fn, scale, base))
        call("hc_backward", x.size(0), x.size(2), ctypes.c_int(iters), hc_eps, x, fn, scale, base, m, r,
             dy.contiguous(), dpost.contiguous(), dcomb.contiguous(), dx, dfn, dscale, dbase)
        return dx, dfn, dscale, dbase, None, None, None


class CollapseHead(Function):
    @staticmethod
    def forward(ctx, x, fn, scale, base, eps, hc_eps):
        n, d = x.size(0), x.size(2)
        m, r, y = x.new_empty(n, 4), x.new_empty(n), x.new_empty(n, d)
        call("head_forward", n, d, eps, hc_eps, x, fn, scale, base, m, r, y)
        ctx.save_for_backward(x, fn, scale, base, m, r)
        ctx.eps = hc_eps
        return y

    @staticmethod
    def backward(ctx, dy):
        x, fn, scale, base, m, r = ctx.saved_tensors
        dx, dfn, dscale, dbase = (torch.empty_like(t) for t in (x, fn, scale, base))
        call("head_backward", x.size(0), x.size(2), ctx.eps, x, fn, scale, base, m, r, dy.contiguous(),
             dx, dfn, dscale, dbase)
        return dx, dfn, dscale, dbase, None, None


class Merge(Function):
    @staticmethod
    def forward(ctx, x, f, post, comb):
        out = torch.empty_like(x)
        call("merge_forward", x.size(0), x.size(2), x, f, post, comb, out)
        ctx.save_for_backward(x, f, post, comb)
        return out

    @staticmethod
    def backward(ctx, g):
        x, f, post, comb = ctx.saved_tensors
        dx, df, dpost, dcomb = (torch.empty_like(t) for t in (x, f, post, comb))
        call("merge_backward", x.size(0), x.size(2), x, f, post, comb, g.contiguous(), dx, df, dpost, dcomb)
        return dx, df, dpost, dcomb


class Norm(Function):
    """RMS norm, then a rotation where `rope` is given; rows of x lie in sequences of rope's length."""

    @staticmethod
    def forward(ctx, x, weight, eps, rope):
        x = x.contiguous()
        d, n = x.size(-1), x.numel() // x.size(-1)
        y, r = torch.empty_like(x), x.new_empty(n)
        cos, sin = rope or (r, r)
        ctx.turn = (cos.size(0), cos.size(1)) if rope else (1, 0)
        call("norm_forward", n, d, *ctx.turn, eps, x, weight, cos, sin, y, r)
        ctx.save_for_backward(x, weight, r, cos, sin)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, r, cos, sin = ctx.saved_tensors
        dx, dweight = torch.empty_like(x), torch.empty_like(weight)
        call("norm_backward", r.numel(), x.size(-1), *ctx.turn, x, weight, cos, sin, r, dy.contiguous(), dx, dweight)
        return dx, dweight, None, None


def norm(layer: RMSNorm, x: Tensor, rope=None) -> Tensor:
    return Norm.apply(x, layer.weight, layer.eps, rope)


class Attend(Function):
    """q [B,T,H,d] as projected to the heads' outputs, and the weight on every compressed row."""

    @staticmethod
    def forward(ctx, q, kv, rows, sink, chosen, rope, win, ratio, eps, look):
        q = q.contiguous()
        b, t, h, d = q.shape
        n_rows = rows.size(1) if ratio else 0
        shape = Shape(b, t, h, d, win, ratio, n_rows, rope[0].size(1))
        p = q.new_empty(b * t * h, win - 1 + 32 + n_rows)
        qn, rq, ps, out = torch.empty_like(q), q.new_empty(b, t, h), q.new_empty(b, t, h), torch.empty_like(q)
        looked = q.new_zeros(b, t, n_rows) if look else None
        call("attention_forward", ctypes.byref(shape), eps, q, kv, rows, sink, chosen, *rope, qn, rq, p, ps, out, looked)
        ctx.save_for_backward(q, kv, rows, qn, rq, p, ps, *rope)
        ctx.shape, ctx.sink = shape, sink.shape
        if look:
            ctx.mark_non_differentiable(looked)
        return out, looked

    @staticmethod
    def backward(ctx, dout, _):
        q, kv, rows, qn, rq, p, ps, cos, sin = ctx.saved_tensors
        dq, dkv, drows, dsink = torch.empty_like(q), torch.empty_like(kv), torch.empty_like(rows), q.new_empty(ctx.sink)
        call("attention_backward", ctypes.byref(ctx.shape), q, kv, rows, cos, sin, qn, rq, p, ps, dout.contiguous(),
             dq, dkv, drows, dsink)
        return dq, dkv, drows, dsink, *[None] * 6


class Experts(Function):
    @staticmethod
    def forward(ctx, x, weight, start, token, limit, *matrices):
        n, d = x.shape
        count, inner = len(matrices) // 3 - 1, matrices[0].size(0)
        address = ctypes.c_void_p * (count + 1)
        tables = [address(*[m.data_ptr() for m in matrices[k::3]]) for k in range(3)]
        xs, y = x.new_empty(token.numel(), d), torch.empty_like(x)
        a1, a3 = x.new_empty(token.numel(), inner), x.new_empty(token.numel(), inner)
        call("experts_forward", n, d, inner, count, limit, x, start, token, weight, *tables, xs, a1, a3, y)
        ctx.save_for_backward(weight, start, token, xs, a1, a3, *matrices)
        ctx.rest = (n, d, inner, count, limit)
        return y

    @staticmethod
    def backward(ctx, dy):
        weight, start, token, xs, a1, a3, *matrices = ctx.saved_tensors
        n, d, inner, count, limit = ctx.rest
        address = ctypes.c_void_p * (count + 1)
        grads = [torch.empty_like(m) for m in matrices]
        tables = [address(*[m.data_ptr() for m in which[k::3]]) for which in (matrices, grads) for k in range(3)]
        dx, dweight = dy.new_empty(n, d), torch.empty_like(weight)
        call("experts_backward", n, d, inner, count, limit, start, token, weight, *tables[:3], xs, a1, a3,
             dy.contiguous(), dx, dweight, *tables[3:])
        return dx, dweight, None, None, None, *grads


class Loss(Function):
    """Weighted mean cross entropy of head(x) in nats; the gradients are made on the way."""

    @staticmethod
    def forward(ctx, x, head, target, weight):
        dx, dhead = torch.empty_like(x), torch.empty_like(head)
        loss = call("cross_entropy", x.size(0), x.size(1), head.size(0), x.contiguous(), head, target.contiguous(),
                    weight.contiguous(), dx, dhead)
        ctx.save_for_backward(dx, dhead)
        return x.new_tensor(loss)

    @staticmethod
    def backward(ctx, g):
        dx, dhead = ctx.saved_tensors
        return dx * g, dhead * g, None, None


def collapse(site: HyperConnection, x: Tensor):
    c = site.c
    return Collapse4.apply(x, site.fn, site.scale, site.base, c.hc_sinkhorn_iters, c.rms_norm_eps, c.hc_eps)


def collapse_head(site: Collapse, x: Tensor) -> Tensor:
    """Collapse.forward; x [B,T,4,D] to [B*T,D]."""
    x = x.reshape(-1, 4, x.size(-1)).contiguous()
    return CollapseHead.apply(x, site.fn, site.scale, site.base, site.c.rms_norm_eps, site.c.hc_eps)


def pooled(layer: Compressor, x: Tensor) -> Tensor:
    """Compressor.forward before its norm."""
    n = x.size(1) // layer.ratio
    x = x[:, :n * layer.ratio]
    v = layer.wkv(x).unflatten(1, (n, layer.ratio))
    s = layer.wgate(x).unflatten(1, (n, layer.ratio)) + layer.ape
    if layer.overlap:
        w = layer.width
        v = torch.cat((F.pad(v[:, :-1, :, :w], (0, 0, 0, 0, 1, 0)), v[..., w:]), 2)
        s = torch.cat((F.pad(s[:, :-1, :, :w], (0, 0, 0, 0, 1, 0), value=-math.inf), s[..., w:]), 2)
    return (s.softmax(2) * v).sum(2)


def attention(a: Attention, x: Tensor) -> Tensor:
    c, (b, t, _) = a.c, x.shape
    if t not in a.tables:
        n = t // a.ratio if a.ratio else 0
        step = torch.arange(n) * max(a.ratio, 1)
        a.tables[t] = tuple(tuple(e.contiguous() for e in rope_table(c, a.ratio, p)) for p in (torch.arange(t), step))
    rope, row_rope = a.tables[t]
    qr = norm(a.q_norm, a.wq_a(x))
    q = a.wq_b(qr).view(b, t, c.num_attention_heads, c.head_dim)
    kv = norm(a.kv_norm, a.wkv(x), rope)
    n_rows = t // a.ratio if a.ratio else 0
    rows = norm(a.compressor.norm, pooled(a.compressor, x), row_rope) if n_rows else kv[:, :0].contiguous()
    chosen = index = hidden = None
    teach = a.training and a.teach
    if n_rows and a.ratio == 4 and not a.dense and (teach or n_rows > c.index_topk):
        hidden = (torch.arange(n_rows)[None, :] >= ((torch.arange(t) + 1) // 4)[:, None])[None].expand(b, t, n_rows)
        with torch.set_grad_enabled(teach):
            index = a.indexer(x.detach(), qr.detach(), rope, row_rope).masked_fill(hidden, -math.inf)
            hidden = a.choose(index, hidden)
        chosen = (~hidden).to(torch.uint8).contiguous()
    o, looked = Attend.apply(q, kv, rows, a.attn_sink, chosen, rope, c.sliding_window, a.ratio if n_rows else 0,
                             c.rms_norm_eps, teach and index is not None)
    a.index_loss = a.teach_indexer(index, looked, hidden) if looked is not None else torch.zeros(())
    groups = o.view(b * t, c.o_groups, -1).transpose(0, 1)
    z = torch.bmm(groups, a.wo_a.weight.view(c.o_groups, c.o_lora_rank, -1).transpose(1, 2))
    return a.wo_b(z.transpose(0, 1).reshape(b, t, -1))


def experts(moe: MoE, x: Tensor, ids: Tensor) -> Tensor:
    chosen, weights = moe.gate(x, ids)
    flat, n = chosen.flatten(), x.size(0)
    order, moe.load = flat.argsort(), flat.bincount(minlength=len(moe.experts))
    token = torch.cat((order.div(chosen.size(1), rounding_mode="floor"), torch.arange(n)))
    start = torch.cat((torch.zeros(1, dtype=torch.long), moe.load.cumsum(0), torch.tensor([token.numel()])))
    weight = torch.cat((weights.flatten()[order], torch.ones(n)))
    return Experts.apply(x, weight, start, token, moe.experts[0].limit, *moe.matrices)


def block(layer: Block, x: Tensor, ids: Tensor) -> Tensor:
    """Block.forward; x [B,T,4,D]."""
    b, t, s, d = x.shape
    x = x.reshape(b * t, s, d).contiguous()
    y, post, comb = collapse(layer.hc_attn, x)
    x = Merge.apply(x, attention(layer.attn, norm(layer.attn_norm, y).view(b, t, d)).view(b * t, d), post, comb)
    y, post, comb = collapse(layer.hc_ffn, x)
    return Merge.apply(x, experts(layer.ffn, norm(layer.ffn_norm, y), ids.reshape(-1)), post, comb).view(b, t, s, d)


def loss(model: Model, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Loss of the trunk's streams x [B,T,4,D] on target [B,T] with weight [B,T]."""
    flat = norm(model.norm, collapse_head(model.hc_head, x))
    return Loss.apply(flat, model.head.weight, target.flatten(), weight.flatten())


def draft_loss(model: Model, x: Tensor, following: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Loss of the MTP block; see Model.mtp_logits."""
    m = model.mtp[0]
    y = m.e_proj(m.enorm(model.embed(following)))[:, :, None] + m.h_proj(m.hnorm(x))
    flat = norm(m.norm, collapse_head(m.hc_head, block(m, y, following)))
    return Loss.apply(flat, model.head.weight, target.flatten(), weight.flatten())


def orthogonal(g: Tensor) -> Tensor:
    """optim.orthogonal of a stack [count,rows,cols]."""
    flipped = g.size(-2) > g.size(-1)
    x = (g.transpose(-2, -1) if flipped else g).contiguous()
    call("orthogonal", *x.shape, x)
    return x.transpose(-2, -1) if flipped else x


def attach(model: Model, folder: str) -> Model:
    global kernels
    kernels = compiled(folder)
    for layer in [*model.layers, *model.mtp]:
        layer.attn.tables, layer.attn.teach, layer.attn.dense = {}, True, False  # dense: all visible rows
        layer.ffn.matrices = [m for e in (*layer.ffn.experts, layer.ffn.shared_experts) for m in
                              (e.w1.weight, e.w2.weight, e.w3.weight)]
        layer.forward = lambda x, ids, layer=layer: block(layer, x, ids)
    return model
