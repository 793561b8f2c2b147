"""DeepSeek-V4's graph in PyTorch, for training: whole sequences from position 0, no cache.

The arithmetic is fp32. Attention reads the 128-token window in bands of two blocks instead of a full
mask; compressed rows are scored densely and cut to the indexer's choice by a mask, so that the
indexer can be taught by the attention it serves (`index_loss`). Parameter names are those of the
released checkpoint. B batch, T tokens (padded to blocks of 128 inside), S=4 streams, D width.
"""

import math
from dataclasses import dataclass, field

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


@dataclass
class Config:
    """config.json of a checkpoint, as far as the graph needs it."""

    raw: dict = field(repr=False)

    def __getattr__(self, name: str):
        return self.raw[name]


def normed(x: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * normed(x, self.eps)


def linear(n_in: int, n_out: int) -> nn.Linear:
    layer = nn.Linear(n_in, n_out, bias=False)
    nn.init.normal_(layer.weight, std=1 / math.sqrt(n_in))
    return layer


def rope_table(c: Config, ratio: int, positions: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin [n, rope/2]; compressed layers have their own base and YaRN."""
    dim = c.qk_rope_head_dim
    base = float(c.compress_rope_theta if ratio else c.rope_theta)
    freq = 1.0 / base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    if ratio:
        s = c.rope_scaling
        at = lambda turns: dim * math.log(s["original_max_position_embeddings"] / (turns * 2 * math.pi)) / (
            2 * math.log(base))
        low, high = max(math.floor(at(s["beta_fast"])), 0), min(math.ceil(at(s["beta_slow"])), dim - 1)
        ramp = ((torch.arange(dim // 2) - low) / max(high - low, 0.001)).clamp(0, 1)
        freq = freq / s["factor"] * ramp + freq * (1 - ramp)
    angle = positions.float()[:, None] * freq
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor, inverse: bool = False) -> Tensor:
    """Rotates the last 2*cos.size(-1) entries of x in neighbouring pairs. cos broadcasts to x's rows."""
    width = 2 * cos.size(-1)
    keep, pairs = x[..., :-width], x[..., -width:].unflatten(-1, (-1, 2))
    a, b = pairs[..., 0], pairs[..., 1]
    if inverse:
        sin = -sin
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
    return torch.cat((keep, turned), -1)


class Compressor(nn.Module):
    def __init__(self, c: Config, ratio: int, width: int):
        super().__init__()
        self.ratio, self.width, self.overlap = ratio, width, ratio == 4
        cf = 2 if self.overlap else 1
        self.wkv, self.wgate = linear(c.hidden_size, cf * width), linear(c.hidden_size, cf * width)
        self.ape = nn.Parameter(torch.zeros(ratio, cf * width))
        self.norm = RMSNorm(width, c.rms_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """[B,T,D] to the unrotated rows [B,T//ratio,width]."""
        n = x.size(1) // self.ratio
        x = x[:, :n * self.ratio]
        v = self.wkv(x).unflatten(1, (n, self.ratio))
        s = self.wgate(x).unflatten(1, (n, self.ratio)) + self.ape
        if self.overlap:
            w = self.width
            earlier = lambda t, fill: torch.cat((torch.full_like(t[:, :1, :, :w], fill), t[:, :-1, :, :w]), 1)
            v = torch.cat((earlier(v, 0.0), v[..., w:]), 2)
            s = torch.cat((earlier(s, -math.inf), s[..., w:]), 2)
        return self.norm((s.softmax(2) * v).sum(2))


class Indexer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c, self.heads, self.width = c, c.index_n_heads, c.index_head_dim
        self.wq_b = linear(c.q_lora_rank, self.heads * self.width)
        self.weights_proj = linear(c.hidden_size, self.heads)
        self.compressor = Compressor(c, 4, self.width)

    def forward(self, x: Tensor, qr: Tensor, rope, row_rope) -> Tensor:
        """Scores [B,T,rows] before masking."""
        q = rotate(self.wq_b(qr).unflatten(-1, (self.heads, self.width)), rope[0][:, None], rope[1][:, None])
        k = rotate(self.compressor(x), *row_rope)
        w = self.weights_proj(x) * (self.width ** -0.5 * self.heads ** -0.5)
        b, t = x.shape[:2]
        q = q.transpose(1, 2).reshape(b, self.heads * t, self.width)
        dots = torch.bmm(q, k.transpose(1, 2)).relu().view(b, self.heads, t, -1)
        return weighted(w[..., None].unbind(2), dots.unbind(1))


class Attention(nn.Module):
    def __init__(self, c: Config, ratio: int):
        super().__init__()
        self.c, self.ratio = c, ratio
        h, d = c.num_attention_heads, c.head_dim
        self.wq_a, self.q_norm = linear(c.hidden_size, c.q_lora_rank), RMSNorm(c.q_lora_rank, c.rms_norm_eps)
        self.wq_b = linear(c.q_lora_rank, h * d)
        self.wkv, self.kv_norm = linear(c.hidden_size, d), RMSNorm(d, c.rms_norm_eps)
        self.wo_a = linear(h * d // c.o_groups, c.o_groups * c.o_lora_rank)
        self.wo_b = linear(c.o_groups * c.o_lora_rank, c.hidden_size)
        self.attn_sink = nn.Parameter(torch.zeros(h))
        if ratio:
            self.compressor = Compressor(c, ratio, d)
        if ratio == 4:
            self.indexer = Indexer(c)
        self.index_loss = torch.zeros(())
        self.index_margin = None  # [T] gap between the last chosen and first rejected row, of the last forward

    def forward(self, x: Tensor) -> Tensor:
        c, (b, t, _) = self.c, x.shape
        h, d, win = c.num_attention_heads, c.head_dim, c.sliding_window
        position = torch.arange(t)
        rope = rope_table(c, self.ratio, position)
        qr = self.q_norm(self.wq_a(x))
        q = normed(self.wq_b(qr).unflatten(-1, (h, d)), c.rms_norm_eps)
        q = rotate(q, rope[0][:, None], rope[1][:, None])
        kv = rotate(self.kv_norm(self.wkv(x)), *rope)

        # The keys of a block of `win` queries: its own and the previous block's tokens (a band), all
        # compressed rows, and a zero key whose score is the sink: it takes weight and gives nothing.
        blocks = -(-t // win)
        pad = blocks * win - t
        padded = F.pad(kv, (0, 0, win, pad))
        keys = [padded[:, :-win].unflatten(1, (blocks, win)), padded[:, win:].unflatten(1, (blocks, win))]
        i, j = torch.arange(win)[:, None], torch.arange(2 * win)[None, :] - win
        seen = ((j <= i) & (j > i - win))[None] & ((torch.arange(blocks) > 0)[:, None, None] | (j >= 0)[None])
        bias = [torch.zeros(seen.shape).masked_fill(~seen, -math.inf).view(1, blocks, win, 1, 2 * win)]
        n_rows = t // self.ratio if self.ratio else 0
        if n_rows:
            row_rope = rope_table(c, self.ratio, torch.arange(n_rows) * self.ratio)
            rows = rotate(self.compressor(x), *row_rope)
            keys.append(rows[:, None].expand(b, blocks, n_rows, d))
            hidden = torch.arange(n_rows)[None, :] >= ((position + 1) // self.ratio)[:, None]
            hidden = hidden[None].expand(b, t, n_rows)
            if self.ratio == 4:
                index = self.indexer(x.detach(), qr.detach(), rope, row_rope).masked_fill(hidden, -math.inf)
                hidden = self.choose(index, hidden)
            row_bias = F.pad(torch.zeros(hidden.shape).masked_fill(hidden, -math.inf), (0, 0, 0, pad))
            bias.append(row_bias.view(b, blocks, win, 1, n_rows))
        keys.append(padded.new_zeros(b, blocks, 1, d))
        keys = torch.cat(keys, 2).flatten(0, 1)
        bias.append(self.attn_sink.view(1, 1, 1, h, 1))
        bias = torch.cat([e.expand(b, blocks, win, h, -1) for e in bias], -1).view(b * blocks, win * h, -1)
        q_band = F.pad(q / math.sqrt(d), (0, 0, 0, 0, 0, pad)).reshape(b * blocks, win * h, d)
        p = torch.baddbmm(bias, q_band, keys.transpose(1, 2)).softmax(-1)
        o = torch.bmm(p, keys).view(b, blocks * win, h, d)[:, :t]
        if n_rows and self.ratio == 4 and self.training:
            looked = p.detach()[..., 2 * win:-1].reshape(b, blocks * win, h, n_rows)[:, :t].sum(2)
            self.index_loss = self.teach_indexer(index, looked, hidden)
        o = rotate(o, rope[0][:, None], rope[1][:, None], inverse=True)
        groups = o.reshape(b * t, c.o_groups, -1).transpose(0, 1)
        weight = self.wo_a.weight.view(c.o_groups, c.o_lora_rank, -1)
        z = torch.bmm(groups, weight.transpose(1, 2)).transpose(0, 1).reshape(b, t, -1)
        return self.wo_b(z)

    def choose(self, index: Tensor, hidden: Tensor) -> Tensor:
        """`hidden` and, where more than index_topk rows are visible, all but the best of them."""
        k = self.c.index_topk
        self.index_margin = torch.full((index.size(1),), math.inf)
        if index.size(-1) <= k:
            return hidden
        best = index.detach().topk(k + 1, -1)
        gap = best.values[..., -2] - best.values[..., -1]
        self.index_margin = gap.nan_to_num(nan=math.inf)[0]
        return hidden | torch.ones_like(hidden).scatter_(2, best.indices[..., :k], False)

    @staticmethod
    def teach_indexer(index: Tensor, target: Tensor, hidden: Tensor) -> Tensor:
        """KL of softmax(index scores) from where attention really looked, over the chosen rows."""
        target = target / (target.sum(-1, keepdim=True) + 1e-9)
        logp = index.masked_fill(hidden, -1e4).log_softmax(-1)
        return -(target * logp).sum(-1).mean()


class Expert(nn.Module):
    def __init__(self, width: int, inner: int, limit: float):
        super().__init__()
        self.w1, self.w2, self.w3, self.limit = linear(width, inner), linear(inner, width), linear(width, inner), limit

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        a = F.silu(self.w1(x).clamp(max=self.limit)) * self.w3(x).clamp(-self.limit, self.limit)
        return self.w2(a if weight is None else a * weight)


class Gate(nn.Module):
    def __init__(self, c: Config, hashed: bool):
        super().__init__()
        self.c, self.hashed = c, hashed
        self.weight = nn.Parameter(torch.randn(c.n_routed_experts, c.hidden_size) / math.sqrt(c.hidden_size))
        if hashed:
            ids = torch.arange(c.vocab_size)[:, None] * 2654435761 + torch.arange(c.num_experts_per_tok) * 40503
            first = (ids[:, :1] >> 7) % c.n_routed_experts
            step = 1 + torch.arange(c.num_experts_per_tok)[None] * (1 + (ids[:, :1] >> 13) % 3)
            table = torch.cat([first, (first + step[:, :-1]) % c.n_routed_experts], 1)[:, :c.num_experts_per_tok]
            self.register_buffer("tid2eid", table.contiguous())
        else:
            self.register_buffer("bias", torch.zeros(c.n_routed_experts))

    def forward(self, x: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """x [n,D], ids [n]: the experts [n,k] and their weights."""
        s = F.softplus(F.linear(x, self.weight)).sqrt()
        chosen = self.tid2eid[ids] if self.hashed else (s.detach() + self.bias).topk(self.c.num_experts_per_tok, -1).indices
        w = s.gather(1, chosen)
        return chosen, w / w.sum(-1, keepdim=True) * self.c.routed_scaling_factor


class MoE(nn.Module):
    def __init__(self, c: Config, hashed: bool):
        super().__init__()
        self.gate = Gate(c, hashed)
        make = lambda: Expert(c.hidden_size, c.moe_intermediate_size, c.swiglu_limit)
        self.experts = nn.ModuleList(make() for _ in range(c.n_routed_experts))
        self.shared_experts = make()
        self.load = None  # tokens each expert got in the last forward, for balancing

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        flat = x.flatten(0, 1)
        chosen, weights = self.gate(flat, ids.flatten())
        y = self.shared_experts(flat)
        order = chosen.flatten().argsort()
        counts = chosen.flatten().bincount(minlength=len(self.experts))
        self.load = counts
        tokens = order.div(chosen.size(1), rounding_mode="floor")
        sorted_x, sorted_w = flat[tokens].split(counts.tolist()), weights.flatten()[order, None].split(counts.tolist())
        out = torch.cat([e(a, w) for e, a, w in zip(self.experts, sorted_x, sorted_w)])
        return y.index_add(0, tokens, out).view_as(x)


class HyperConnection(nn.Module):
    """One site's mHC parameters; see deepseek-v4 section 2.3."""

    def __init__(self, c: Config):
        super().__init__()
        self.c, n = c, c.hc_mult
        self.fn = nn.Parameter(torch.randn((2 + n) * n, n * c.hidden_size) * 0.02 / math.sqrt(n))
        base = torch.zeros((2 + n) * n)
        base[:n] = -1.0
        base[2 * n:] = (torch.eye(n) * 4.0).flatten()
        self.base, self.scale = nn.Parameter(base), nn.Parameter(torch.full((3,), 0.5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [B,T,S,D]: the collapsed input [B,T,D], post [S,B,T], comb [S,S,B,T]."""
        c, n, eps = self.c, self.c.hc_mult, self.c.hc_eps
        flat = x.flatten(2)
        m = F.linear(flat, self.fn) * torch.rsqrt(flat.square().mean(-1, keepdim=True) + c.rms_norm_eps)
        # Tokens last from here on: sums over 4 neighbours in memory are slow, over 4 rows they are not.
        m = m.movedim(-1, 0).contiguous()
        scale, base = self.scale, self.base[:, None, None]
        pre = torch.sigmoid(m[:n] * scale[0] + base[:n]) + eps
        post = 2 * torch.sigmoid(m[n:2 * n] * scale[1] + base[n:2 * n])
        comb = (m[2 * n:] * scale[2] + base[2 * n:]).unflatten(0, (n, n)).softmax(1) + eps
        comb = comb / (comb.sum(0, keepdim=True) + eps)
        for _ in range(c.hc_sinkhorn_iters - 1):
            comb = comb / (comb.sum(1, keepdim=True) + eps)
            comb = comb / (comb.sum(0, keepdim=True) + eps)
        return weighted(pre[..., None].unbind(0), x.unbind(2)), post, comb


def weighted(weights, terms) -> Tensor:
    """Sum of weights[i] * terms[i]. Callers unbind: its backward is one stack, that of indexing many adds."""
    total = weights[0] * terms[0]
    for w, t in zip(weights[1:], terms[1:]):
        total = torch.addcmul(total, w, t)
    return total


def merge(x: Tensor, f: Tensor, post: Tensor, comb: Tensor) -> Tensor:
    """x [B,T,S,D], f [B,T,D], post [S,B,T], comb [S,S,B,T]: the streams after a site."""
    terms, post = (f, *x.unbind(2)), post[..., None].unbind(0)
    columns = [column[..., None].unbind(0) for column in comb.unbind(1)]
    return torch.stack([weighted((p, *column), terms) for p, column in zip(post, columns)], 2)


class Block(nn.Module):
    def __init__(self, c: Config, ratio: int, hashed: bool):
        super().__init__()
        self.attn, self.ffn = Attention(c, ratio), MoE(c, hashed)
        self.attn_norm, self.ffn_norm = RMSNorm(c.hidden_size, c.rms_norm_eps), RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.hc_attn, self.hc_ffn = HyperConnection(c), HyperConnection(c)

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        y, post, comb = self.hc_attn(x)
        x = merge(x, self.attn(self.attn_norm(y)), post, comb)
        y, post, comb = self.hc_ffn(x)
        return merge(x, self.ffn(self.ffn_norm(y), ids), post, comb)


class Collapse(nn.Module):
    """The head's mHC: four streams to one."""

    def __init__(self, c: Config):
        super().__init__()
        self.c, n = c, c.hc_mult
        self.fn = nn.Parameter(torch.randn(n, n * c.hidden_size) * 0.02 / math.sqrt(n))
        self.base, self.scale = nn.Parameter(torch.zeros(n)), nn.Parameter(torch.full((1,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        m = F.linear(flat, self.fn) * torch.rsqrt(flat.square().mean(-1, keepdim=True) + self.c.rms_norm_eps)
        pre = torch.sigmoid(m * self.scale + self.base) + self.c.hc_eps
        return weighted(pre[..., None].unbind(2), x.unbind(2))


class Mtp(Block):
    def __init__(self, c: Config):
        super().__init__(c, 0, False)
        self.e_proj, self.h_proj = linear(c.hidden_size, c.hidden_size), linear(c.hidden_size, c.hidden_size)
        self.enorm, self.hnorm, self.norm = (RMSNorm(c.hidden_size, c.rms_norm_eps) for _ in range(3))
        self.hc_head = Collapse(c)


class Model(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.embed, self.head = nn.Embedding(c.vocab_size, c.hidden_size), linear(c.hidden_size, c.vocab_size)
        nn.init.normal_(self.embed.weight, std=0.1)
        nn.init.normal_(self.head.weight, std=0.01)
        self.layers = nn.ModuleList(Block(c, c.compress_ratios[i], i < c.num_hash_layers)
                                    for i in range(c.num_hidden_layers))
        self.norm, self.hc_head = RMSNorm(c.hidden_size, c.rms_norm_eps), Collapse(c)
        self.mtp = nn.ModuleList([Mtp(c)])

    def streams(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)[:, :, None].expand(-1, -1, self.c.hc_mult, -1)
        for layer in self.layers:
            x = layer(x, ids)
        return x

    def logits(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.hc_head(x)))

    def mtp_logits(self, x: Tensor, next_ids: Tensor) -> Tensor:
        """Row q from the streams of position q and the id of q+1: predicts position q+2."""
        m = self.mtp[0]
        y = m.e_proj(m.enorm(self.embed(next_ids)))[:, :, None] + m.h_proj(m.hnorm(x))
        return self.head(m.norm(m.hc_head(m(y, next_ids))))

    def forward(self, ids: Tensor) -> Tensor:
        return self.logits(self.streams(ids))


def released_name(name: str) -> str:
    """Our module path to the released tensor name: the mHC parameters are flat there."""
    for site in ("hc_attn", "hc_ffn", "hc_head"):
        name = name.replace(site + ".", site + "_")
    return name
