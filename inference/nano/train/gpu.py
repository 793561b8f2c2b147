"""The graph of model.py for training on a GPU: same values, bf16 products, few and large kernels.

Every function here is pure tensor code that torch.compile takes whole; `Trained` holds the parameters of
a model.Model on a device and compiles one function for every kind of block. model.py stays the
definition: `python3 gpu_test.py CONFIG.json` compares both. N = B*T tokens, S=4 streams, D width, E experts.

Experts: tokens are sorted by expert and every expert's share is padded to groups of `kGroup` rows, so
that shapes are static and each group multiplies with one expert's matrix.
"""

import math
from types import SimpleNamespace

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

import sinkhorn
from model import Config, Model, rope_table, rotate

kGroup = 256


def rms(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """fp32 inside; the type of x outside."""
    y = x.float()
    return (weight * (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + eps))).to(x.dtype)


def product(x: Tensor, weight: Tensor) -> Tensor:
    return x @ weight.to(x.dtype).t()


# --- streams

def compile_much() -> None:
    """A function may be compiled for more than the usual eight cases."""
    for limit in ("recompile_limit", "cache_size_limit"):  # the newer name, the older one
        if hasattr(torch, "_dynamo") and hasattr(torch._dynamo.config, limit):
            setattr(torch._dynamo.config, limit, 64)


def projected(c: Config, fn: Tensor, x: Tensor) -> Tensor:
    """fn [n,S*D] times the normed streams x [N,S,D], fp32."""
    flat = x.flatten(1)
    return product(flat, fn).float() * torch.rsqrt(flat.float().square().mean(-1, keepdim=True) + c.rms_norm_eps)


def collapsed(x: Tensor, pre: Tensor) -> Tensor:
    """The weighted sum of the streams, fp32 [N,D]."""
    return sum(x[:, i].float() * pre[:, i, None] for i in range(x.size(1)))


def merged(c: Config, x: Tensor, f: Tensor, post: Tensor, comb: Tensor) -> Tensor:
    total = post[:, :, None] * f.float()[:, None]
    for i in range(x.size(1)):
        total = total + comb[:, i, :, None] * x[:, i, None].float()
    return total.to(x.dtype)


# --- attention

def compressed(w: dict, at: str, x: Tensor, ratio: int, eps: float) -> Tensor:
    """x [B,T,D]: the unrotated rows [B,T//ratio,width]; see Compressor."""
    n = x.size(1) // ratio
    x = x[:, :n * ratio]
    v = product(x, w[at + ".wkv.weight"]).unflatten(1, (n, ratio))
    s = product(x, w[at + ".wgate.weight"]).unflatten(1, (n, ratio)).float() + w[at + ".ape"]
    if ratio == 4:
        half = v.size(-1) // 2
        v = torch.cat((F.pad(v[:, :-1, :, :half], (0, 0, 0, 0, 1, 0)), v[..., half:]), 2)
        s = torch.cat((F.pad(s[:, :-1, :, :half], (0, 0, 0, 0, 1, 0), value=-math.inf), s[..., half:]), 2)
    return rms((s.softmax(2) * v.float()).sum(2).to(x.dtype), w[at + ".norm.weight"], eps)


def index_scores(w: dict, x: Tensor, qr: Tensor, c: Config, rope, row_rope) -> Tensor:
    """fp32 [B,T,rows]; see Indexer."""
    b, t, _ = x.shape
    h, d = c.index_n_heads, c.index_head_dim
    q = product(qr, w["attn.indexer.wq_b.weight"]).view(b, t, h, d).float()
    q = rotate(q, rope[0][:, None], rope[1][:, None]).to(x.dtype)
    k = rotate(compressed(w, "attn.indexer.compressor", x, 4, c.rms_norm_eps).float(), *row_rope).to(x.dtype)
    dots = torch.bmm(q.reshape(b, t * h, d), k.transpose(1, 2)).view(b, t, h, -1).float().relu()
    weights = product(x, w["attn.indexer.weights_proj.weight"]).float() * (d ** -0.5 * h ** -0.5)
    return (dots * weights[..., None]).sum(2)


def attention(c: Config, ratio: int, look: bool, t: int, w: dict, x: Tensor, tables) -> tuple[Tensor, Tensor]:
    """x [B*t,D]: the output and the indexer's loss. look: the indexer chooses rows and is taught."""
    h, d, eps = c.num_attention_heads, c.head_dim, c.rms_norm_eps
    x = x.view(-1, t, x.size(-1))
    b, dt = x.size(0), x.dtype
    rope, row_rope = tables
    qr = rms(product(x, w["attn.wq_a.weight"]), w["attn.q_norm.weight"], eps)
    q = product(qr, w["attn.wq_b.weight"]).view(b, t, h, d).float()
    q = q * torch.rsqrt(q.square().mean(-1, keepdim=True) + eps) * d ** -0.5
    q = rotate(q, rope[0][:, None], rope[1][:, None]).to(dt)
    keys = rms(product(x, w["attn.wkv.weight"]), w["attn.kv_norm.weight"], eps)
    keys = rotate(keys.float(), *rope).to(dt)
    i, j = torch.arange(t, device=x.device)[:, None], torch.arange(t, device=x.device)[None]
    seen = (j <= i) & (j > i - c.sliding_window)
    rows = t // ratio if ratio else 0
    seen = seen[None]  # [B or 1,T,keys]
    index = hidden = None
    if rows:
        row = rotate(compressed(w, "attn.compressor", x, ratio, eps).float(), *row_rope).to(dt)
        keys = torch.cat((keys, row), 1)
        visible = (torch.arange(rows, device=x.device)[None] < (i + 1) // ratio)[None]
        if look:
            index = index_scores(w, x.detach(), qr.detach(), c, rope, row_rope).masked_fill(~visible, -math.inf)
            visible = visible.expand(b, t, rows)
            if rows > c.index_topk:
                best = index.detach().topk(c.index_topk, -1).indices
                visible = visible & torch.zeros_like(visible).scatter(2, best, True)
            hidden = ~visible
        seen = torch.cat((seen.expand(visible.size(0), t, t), visible), 2)
    scores = torch.bmm(q.view(b, t * h, d), keys.transpose(1, 2)).view(b, t, h, -1)
    scores = scores.float().masked_fill(~seen[:, :, None], -math.inf)
    sink = w["attn.attn_sink"].view(h, 1)
    top = torch.maximum(scores.amax(-1, keepdim=True), sink).detach()
    p = (scores - top).exp()
    p = (p / (p.sum(-1, keepdim=True) + (sink - top).exp())).to(dt)
    o = torch.bmm(p.view(b, t * h, -1), keys).view(b, t, h, d).float()
    loss = x.new_zeros((), dtype=torch.float32)
    if index is not None:
        target = p.detach()[..., t:].float().sum(2)
        target = target / (target.sum(-1, keepdim=True) + 1e-9)
        loss = -(target * index.masked_fill(hidden, -1e4).log_softmax(-1)).sum(-1).mean()
    o = rotate(o, rope[0][:, None], rope[1][:, None], inverse=True).to(dt)
    groups = o.view(b * t, c.o_groups, -1).transpose(0, 1)
    z = torch.bmm(groups, w["attn.wo_a.weight"].to(dt).view(c.o_groups, c.o_lora_rank, -1).transpose(1, 2))
    return product(z.transpose(0, 1).reshape(b * t, -1), w["attn.wo_b.weight"]), loss


# --- experts

class Take(torch.autograd.Function):
    """Rows of x by `index` (x.size(0): zeros). `inverse` [x.size(0),k]: the k places of the result that
    row i went to (result's size: nowhere), so that the gradient is a gather too."""

    @staticmethod
    def forward(ctx, x, index, inverse):
        ctx.save_for_backward(inverse)
        return F.pad(x, (0, 0, 0, 1))[index]

    @staticmethod
    def backward(ctx, g):
        inverse, = ctx.saved_tensors
        return F.pad(g, (0, 0, 0, 1))[inverse].sum(1), None, None


def places(chosen: Tensor, experts: int):
    """chosen [N,k]: pair [P]: which of the N*k pairs stands in a padded place (N*k: none), place [N*k,1]: its
    inverse, load [E], owner [P/kGroup,E]: one-hot expert of every group."""
    n, flat = chosen.numel(), chosen.flatten()
    each = torch.arange(experts, device=flat.device)
    load = (flat[:, None] == each).sum(0)
    padded = (load + kGroup - 1) // kGroup * kGroup
    ends = padded.cumsum(0)
    order = flat.argsort(stable=True)
    shift = (ends - padded) - (load.cumsum(0) - load)  # from the sorted place to the padded one
    to = torch.arange(n, device=flat.device) + shift[flat[order]]
    groups = -(-n // kGroup) + experts
    pair = torch.full((groups * kGroup,), n, device=flat.device).scatter(0, to, order)
    place = torch.empty_like(to).scatter(0, order, to)
    owner = (torch.arange(groups, device=flat.device)[:, None] * kGroup >= ends[None]).sum(1).clamp(max=experts - 1)
    return pair, place[:, None], load, owner[:, None] == each


def experts(c: Config, hashed: bool, w: dict, x: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """x [N,D], ids [N]: the output and how many tokens went to each expert."""
    k, count, limit, dt = c.num_experts_per_tok, c.n_routed_experts, c.swiglu_limit, x.dtype
    s = F.softplus(x.float() @ w["ffn.gate.weight"].t()).sqrt()
    if hashed:
        chosen = w["ffn.gate.tid2eid"][ids]
    else:
        ranked, picks = s.detach() + w["ffn.gate.bias"], []
        each = torch.arange(count, device=x.device)
        for _ in range(k):  # quicker than topk, and torch.compile fuses it
            picks.append(ranked.argmax(-1, keepdim=True))
            ranked = ranked.masked_fill(each == picks[-1], -math.inf)
        chosen = torch.cat(picks, 1)
    weight = s.gather(1, chosen)
    weight = weight / weight.sum(-1, keepdim=True) * c.routed_scaling_factor
    pair, place, load, owner = places(chosen, count)
    n = x.size(0)
    token = torch.where(pair < n * k, pair // k, n)
    groups = Take.apply(x, token, place.view(n, k)).view(-1, kGroup, x.size(-1))
    owner = owner.to(dt)
    of_group = lambda name: (owner @ w[name].to(dt).flatten(1)).view(-1, *w[name].shape[1:]).transpose(1, 2)
    act = lambda a, b: F.silu(a.float().clamp(max=limit)) * b.float().clamp(-limit, limit)
    inner = act(torch.bmm(groups, of_group("ffn.w1")), torch.bmm(groups, of_group("ffn.w3"))).to(dt)
    out = torch.bmm(inner, of_group("ffn.w2")).flatten(0, 1)
    out = Take.apply(out, place[:, 0], pair[:, None]).view(n, k, -1)
    shared = lambda name: w[f"ffn.shared_experts.{name}.weight"]
    y = product(act(product(x, shared("w1")), product(x, shared("w3"))).to(dt), shared("w2"))
    return (y.float() + (out.float() * weight[..., None]).sum(1)).to(dt), load


# --- sites and losses

def enter(c: Config, w: dict, x: Tensor):
    """x [N,S,D]: a site's input [N,D], post [N,S] and comb [N,S,S]; see HyperConnection."""
    n = c.hc_mult
    m, scale, base = projected(c, w["hc_site.fn"], x), w["hc_site.scale"], w["hc_site.base"]
    pre = torch.sigmoid(m[:, :n] * scale[0] + base[:n]) + c.hc_eps
    post = 2 * torch.sigmoid(m[:, n:2 * n] * scale[1] + base[n:2 * n])
    comb = (m[:, 2 * n:] * scale[2] + base[2 * n:]).unflatten(1, (n, n)).softmax(2) + c.hc_eps
    y = rms(collapsed(x, pre), w["site_norm.weight"], c.rms_norm_eps).to(x.dtype)
    return y, post, sinkhorn.mixed(comb, c.hc_sinkhorn_iters, c.hc_eps)


def loss_of(c: Config, w: dict, head: Tensor, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """x [N,S,D]: weighted mean cross entropy in nats. w: norm.weight and hc_head of the trunk or of the draft."""
    m = projected(c, w["hc_head.fn"], x)
    pre = torch.sigmoid(m * w["hc_head.scale"] + w["hc_head.base"]) + c.hc_eps
    y = rms(collapsed(x, pre), w["norm.weight"], c.rms_norm_eps).to(x.dtype)
    logits = product(y, head).float()
    nats = F.cross_entropy(logits, target, reduction="none")
    return (nats * weight).sum() / weight.sum()


def draft_input(c: Config, w: dict, x: Tensor, following: Tensor) -> Tensor:
    e = product(rms(following, w["enorm.weight"], c.rms_norm_eps), w["e_proj.weight"])
    return e[:, None] + product(rms(x, w["hnorm.weight"], c.rms_norm_eps), w["h_proj.weight"])


class Trained:
    """A model.Model's parameters on a device, as the functions above want them.

    The experts' matrices of a layer become one tensor (`parameters`), of which the model's own are views:
    `model.state_dict()` always holds the present values.
    """

    def __init__(self, model: Model, device: str, dtype: torch.dtype, length: int, compiled: bool):
        self.model, self.dtype, self.length = model.to(device), dtype, length
        self.c = SimpleNamespace(**{n: v for n, v in model.c.raw.items() if isinstance(v, (int, float))})
        self.ratios = model.c.compress_ratios
        self.parameters: dict[str, Tensor] = {}
        self.compile = (lambda f: torch.compile(f, dynamic=False)) if compiled else (lambda f: f)
        self.functions: dict = {}
        for name, p in model.named_parameters():
            if ".ffn.experts." not in name:
                self.parameters[name] = p
        self.weights = []
        for at, layer in [*((f"layers.{i}.", l) for i, l in enumerate(model.layers)), ("mtp.0.", model.mtp[0])]:
            w = {n: p for n, p in layer.named_parameters() if "ffn.experts." not in n}
            w.update(layer.named_buffers())
            for part in ("w1", "w2", "w3"):
                own = [getattr(e, part).weight for e in layer.ffn.experts]
                stack = nn.Parameter(torch.stack([p.data for p in own]))
                for i, p in enumerate(own):
                    p.data = stack.data[i]
                    p.requires_grad_(False)
                w["ffn." + part] = self.parameters[at + "ffn." + part] = stack
            self.weights.append(w)
        self.top = {n: p for n, p in self.parameters.items() if n == "norm.weight" or n.startswith("hc_head")}
        self.tables = {}
        for ratio in set(self.ratios):
            steps = torch.arange(length // ratio) * ratio if ratio else torch.arange(1)
            self.tables[ratio] = tuple(tuple(e.to(device) for e in rope_table(model.c, ratio, p))
                                       for p in (torch.arange(length), steps))

    def call(self, function, *arguments):
        """function(c, *arguments), compiled for each combination of shapes and plain values."""
        if function not in self.functions:
            self.functions[function] = self.compile(function)
        return self.functions[function](self.c, *arguments)

    def site(self, number: int, at: str) -> dict:
        """The mHC parameters and the norm of a layer's site `at`, under names that are the same for both sites."""
        w = self.weights[number]
        return {"hc_site.fn": w[f"hc_{at}.fn"], "hc_site.scale": w[f"hc_{at}.scale"], "hc_site.base": w[f"hc_{at}.base"],
                "site_norm.weight": w[f"{at}_norm.weight"]}

    def part(self, number: int, at: str) -> dict:
        return {n: v for n, v in self.weights[number].items() if n.startswith(at)}

    def attend(self, number: int, y: Tensor, look: bool):
        ratio = self.ratios[number]
        return self.call(attention, ratio, look and ratio == 4, self.length, self.part(number, "attn."), y, self.tables[ratio])

    def feed(self, number: int, y: Tensor, ids: Tensor):
        return self.call(experts, "ffn.gate.tid2eid" in self.weights[number], self.part(number, "ffn."), y, ids)

    def run_block(self, number: int, x: Tensor, ids: Tensor, look: bool):
        """Layer `number`; the last one is the draft's. x [N,S,D], ids [N]: the streams after it, the indexer's
        loss, the experts' load. Compiled in parts, which are the same for most layers."""
        y, post, comb = self.call(enter, self.site(number, "attn"), x)
        f, index_loss = self.attend(number, y, look)
        x = self.call(merged, x, f, post, comb)
        y, post, comb = self.call(enter, self.site(number, "ffn"), x)
        f, load = self.feed(number, y, ids)
        return self.call(merged, x, f, post, comb), index_loss, load

    def compile_piece(self, piece: str, rows: int) -> None:
        """Compiles one piece, forward and backward, so that torch's cache on disk has it for another process."""
        n, s, d = rows * self.length, self.c.hc_mult, self.c.hidden_size
        device = self.model.head.weight.device
        new = lambda *shape, kind=self.dtype: torch.randn(shape, device=device, dtype=kind).requires_grad_()
        name, _, what = piece.partition(" ")
        ids = torch.randint(0, self.c.vocab_size, (n,), device=device)
        if name == "enter":
            out = self.call(enter, self.site(0, "attn"), new(n, s, d))
        elif name == "merged":
            out = (self.call(merged, new(n, s, d), new(n, d), new(n, s, kind=torch.float32), new(n, s, s, kind=torch.float32)),)
        elif name == "loss":
            out = (self.loss(new(n, s, d), ids, torch.rand(n, device=device)),)
        elif name in ("attention", "look"):
            out = self.attend(self.ratios.index(int(what)), new(n, d), name == "look")
        else:
            number = next(i for i, w in enumerate(self.weights) if ("ffn.gate.tid2eid" in w) == (what == "True"))
            out = self.feed(number, new(n, d), ids)[:1]
        out = [o for o in out if o.requires_grad]
        torch.autograd.backward(out, [torch.randn_like(o) for o in out])

    def streams(self, ids: Tensor, look: bool):
        """ids [B,length]: streams [N,S,D], the indexers' losses added up, loads [layers,E]."""
        flat = ids.flatten()
        x = self.model.embed(flat).to(self.dtype)[:, None].expand(-1, self.c.hc_mult, -1).contiguous()
        loss, loads = 0.0, []
        for i in range(self.c.num_hidden_layers):
            x, index_loss, load = self.run_block(i, x, flat, look)
            loss = loss + index_loss
            loads.append(load)
        return x, loss, torch.stack(loads)

    def loss(self, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return self.call(loss_of, self.top, self.model.head.weight, x, target.flatten(), weight.flatten())

    def draft_loss(self, x: Tensor, following: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """following, target, weight [B,length]: the ids at +1, and at +2 what is to be predicted."""
        w = self.weights[-1]
        e = self.model.embed(following.flatten()).to(self.dtype)
        y, _, _ = self.run_block(self.c.num_hidden_layers, draft_input(self.c, w, x, e), following.flatten(), False)
        return self.call(loss_of, {n: p for n, p in w.items() if n == "norm.weight" or n.startswith("hc_head")},
                                  self.model.head.weight, y, target.flatten(), weight.flatten())
