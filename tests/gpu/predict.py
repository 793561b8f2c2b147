#!/usr/bin/env python3
"""predict.py: how fast V4-Flash decodes and reads on a card, from counted bytes, products and launches.

A kernel of one token takes `chain` (launch, the loads that wait for one another, the last blocks) plus its bytes at a rate: 0.94
of what a copy moves, or, for FP4, what its logic instructions allow. In a layer each takes `COLD` more than alone: its small
weights and page tables come from memory. A kernel of many rows takes its products at a rate, or its bytes.
Chains, rates and COLD were fitted to an H200 (docs/performance.md, "What a card showed"); the first tables show how well the
rest of what was measured there follows. Other cards: the same chains (a higher clock would shorten them), their own bytes,
multiprocessors and matrix units; what a tile does besides multiplying (unpacking, shared memory, barriers) scales with
multiprocessors and clock, and is added to the products as if nothing of it went on meanwhile.
Everything about a card but the H200's measured copy is its vendor's figure.
"""
from dataclasses import dataclass

D, H, HD, Q, F, E, K, LOW, VOCAB = 4096, 64, 512, 1024, 2048, 256, 6, 8192, 129280
IH, ID, TOP, WINDOW = 64, 128, 512, 128
KV_ROW, KEY = 592, 68  # packed bytes
LAYERS = {0: 2, 4: 21, 128: 20}  # by ratio
FP8, FP4, BF16 = 1 + 1 / 128**2, 0.5 + 1 / 32, 2.0  # bytes a weight, with scales


@dataclass
class Card:
    name: str
    sms: int
    ghz: float
    gbs: float  # vendor's
    bf16: float  # TFLOP/s of BF16 products with fp32 sums, dense
    fp8: float
    sync: float = 0.95  # share of bf16 that mma.sync can reach; Hopper's other units are for wgmma
    copy: float = 0.884  # of gbs, measured on the H200

    @property
    def logic(self):  # of the H200's multiprocessors and clock
        return self.sms * self.ghz / (132 * 1.755)


H200 = Card("H200", 132, 1.755, 4800, 989, 1979, sync=0.62)
CARDS = [
    Card("H100 SXM", 132, 1.755, 3350, 989, 1979, sync=0.62),
    H200,
    Card("RTX PRO 6000", 188, 2.5, 1792, 504, 1007),
    Card("RTX 5090", 170, 2.4, 1792, 209.5, 419),
    Card("DGX Spark", 48, 2.4, 273, 125, 250),
]

COLD = 1.4
STREAM, FP4_CHAIN, FP4_GBS = 5.5, 4.2, 2250  # µs, µs, GB/s on the H200


def stream(card, weights):
    return STREAM + weights / (0.94 * card.gbs * card.copy) * 1e-3


def experts(card, weights):
    return FP4_CHAIN + weights / min(0.94 * card.gbs * card.copy, FP4_GBS * card.logic) * 1e-3


def decode(card, ratio, depth, old):
    """[(kernel, bytes, µs alone)] of a layer and one token behind `depth`."""
    k = []

    def add(name, weights, us):
        k.append((name, weights, us))

    def site():
        add("hc_mix", 24 * 16 * D, 2.2)
        add("hc_pre", 16 * D, 6.3)

    scores = ratio == 4 and (depth + 1) // 4 > TOP
    listed = WINDOW + (0 if ratio == 0 else min(depth // ratio, TOP if ratio == 4 else 1 << 30))
    down = (Q + HD) * D * FP8
    if ratio:
        down += (2 if ratio == 4 else 1) * 2 * HD * D * BF16
    if ratio == 4:
        down += 4 * ID * D * BF16 + IH * D * BF16
    site()
    add("wq_a, wkv, compressors", down, stream(card, down))
    add("latents", 0, 6.0)
    up = H * HD * Q * FP8 + (IH * ID * Q * FP8 if scores else 0)
    add("wq_b", up, stream(card, up))
    add("queries", 0, 3.5)
    if scores:
        keys = depth // 4
        add("index scores", KEY * keys, 4.5 + KEY * keys / (0.8 * card.gbs * card.copy) * 1e-3)
        add("top-k", 8 * keys, 6.0 + 3.4 * keys / 32768)
    attention = 22.1 if old else 19.0
    add("attention, scores", KV_ROW * listed, attention * (0.4 + 0.05 * listed / 640))
    add("attention, values", KV_ROW * listed, attention * (0.15 + 0.4 * listed / 640))
    add("wo_a", LOW * D * FP8, stream(card, LOW * D * FP8) + (0.6 if old else 0.0))
    add("prepare", 0, 2.5)
    add("wo_b", LOW * D * FP8, stream(card, LOW * D * FP8))
    site()
    gate = E * D * BF16 + 2 * F * D * FP8
    add("gate, shared w1 and w3", gate, stream(card, gate))
    add("route", 0, 8.6 if old else 5.0)
    add("experts w1 and w3", 2 * K * F * D * FP4, experts(card, 2 * K * F * D * FP4))
    add("swiglu", 0, 2.5)
    routed, shared = K * F * D * FP4, F * D * FP8
    if old:
        add("experts w2", routed, experts(card, routed))
        add("swiglu, shared", 0, 2.5)
        add("shared w2", shared, stream(card, shared))
    else:
        add("experts w2, shared w2", routed + shared, experts(card, routed) + shared / (0.94 * card.gbs * card.copy) * 1e-3)
    return k


def layer_us(card, ratio, depth, old=False):
    kernels = decode(card, ratio, depth, old)
    return sum(us + COLD for _, _, us in kernels), sum(b for _, b, _ in kernels), len(kernels)


HEAD = VOCAB * D * BF16


def model_decode(card, depth):
    layers = {r: layer_us(card, r, depth) for r in LAYERS}
    us = sum(n * layers[r][0] for r, n in LAYERS.items()) + stream(card, HEAD) + COLD + 15
    size = sum(n * layers[r][1] for r, n in LAYERS.items()) + HEAD
    return us, size


# TFLOP/s of products on the H200 at 2,048 rows: measured before linear_many and with it, and today. Today's attention has rows
# and queries parked in shared memory and was not measured: a multiprocessor's cycles for a token are counted,
# none of them beside another: products (20,480 matrix instructions each for scores and values, 1 / 0.62 cycles each on Hopper),
# bytes to and from shared memory at 128 a cycle, and logic for unpacking, two warp instructions a cycle.
ATTENTION_CYCLES = sum(chunks * (products / 0.62 + shared / 128 + logic / 2) for chunks, products, shared, logic in
                       ((5 * 16, 256, 89e3, 512),    # scores: chunks of 32 columns of 64 heads by 128 rows
                        (2 * 20, 512, 105e3, 500)))  # values: chunks of 32 rows by 256 columns
PARKED = 2 * 4 * H * HD * 640 / (ATTENTION_CYCLES / (132 * 1.755e9)) * 1e-12
RATES = {"fp8": (196, 249, 249), "fp8 as terms": (196, 249, 249), "bf16 as terms": (171, 187, 187), "fp4": (140, 210, 210),
         "attention": (133, 141, PARKED), "index": (262, 262, 262)}
TERMS = {"fp8 as terms": (3, 2, 2), "bf16 as terms": (3, 2, 2), "attention": (2, 2, 2)}  # products for a useful one
BEFORE, MEASURED, TODAY = range(3)


def scaled(card, flops, rate):
    """µs of products that the H200 does at `rate`."""
    multiply = flops / (H200.bf16 * H200.sync)
    rest = flops / rate - multiply
    return (flops / (card.bf16 * card.sync) + rest / card.logic) * 1e-6


def prefill(card, ratio, depth, when):
    """[(kernel, useful FLOP, µs)] a token of a step of 2,048."""
    k = []

    def add(name, kind, flops):
        k.append((name, flops, scaled(card, flops * TERMS.get(kind, (1, 1, 1))[when], RATES[kind][when])))

    def small(name, size, share=0.6):  # bytes at a share of what a copy moves
        k.append((name, 0, size / (share * card.gbs * card.copy) * 1e-3))

    listed = WINDOW + (0 if ratio == 0 else min(depth // ratio, TOP if ratio == 4 else 1 << 30))
    small("hc_mix, twice", 2 * 36 * D, 0.27)
    small("hc_pre, twice", 2 * 24 * D, 0.65)
    add("wq_a, wkv", "fp8", 2 * (Q + HD) * D)
    if ratio:
        add("compressors", "bf16 as terms", 2 * ((2 if ratio == 4 else 1) * 2 * HD * D + ((4 * ID + IH) * D if ratio == 4 else 0)))
    small("latents, queries, swiglu, prepare", H * HD * 8 + (K + 1) * F * 10 + LOW * 6 + D * 8)
    add("wq_b", "fp8", 2 * (H * HD * Q + (IH * ID * Q if ratio == 4 else 0)))
    if ratio == 4:
        add("index scores", "index", 2 * IH * ID * depth // 4)
        small("top-k", 8 * depth // 4, 0.2)
    add("attention", "attention", 4 * H * HD * listed)
    add("wo_a", "fp8 as terms", 2 * LOW * D)
    add("wo_b", "fp8", 2 * LOW * D)
    add("gate", "bf16 as terms", 2 * E * D)
    add("shared expert", "fp8", 6 * F * D)
    k.append(("route", 0, 0.034 / card.logic))
    add("experts", "fp4", 6 * K * F * D)
    return k


def prefill_us(card, ratio, depth, when=TODAY):
    return sum(us for _, _, us in prefill(card, ratio, depth, when))


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |")


def table(*heads):
    row(*heads)
    row(*["---"] * len(heads))


def main():
    print(f"Attention over 640 rows: {ATTENTION_CYCLES:.0f} cycles a token, {PARKED:.0f} TFLOP/s of products.\n")
    print("## The model beside what the H200 showed\n")
    table("what", "model", "measured", "off")

    def check(what, got, want, unit):
        row(what, f"{got:.1f} {unit}", f"{want:.1f} {unit}", f"{100 * (got / want - 1):+.0f} %")

    check("wq_b alone, 1 row", stream(H200, H * HD * Q * FP8), 13.2, "µs")
    check("wo_b alone, 1 row", stream(H200, LOW * D * FP8), 13.8, "µs")
    check("a compressor's matrix alone, 1 row", stream(H200, 2 * HD * D * BF16), 8.2, "µs")
    check("w1 and w3 of 6 experts alone", experts(H200, 2 * K * F * D * FP4), 28.0, "µs")
    check("head alone", stream(H200, HEAD), 270.3, "µs")
    pair = (layer_us(H200, 4, 4096, True)[0] + layer_us(H200, 128, 4096, True)[0]) / 2
    check("decode before, a layer of ratio 4 or 128 behind 4,096", pair, 213, "µs")
    check("decode before, a layer with a window alone", layer_us(H200, 0, 4096, True)[0], 178, "µs")
    pair = (prefill_us(H200, 4, 2048, BEFORE) + prefill_us(H200, 128, 2048, BEFORE)) / 2
    check("prefill before, a token and layer of ratio 4 or 128", pair, 5.6, "µs")
    check("prefill before, a layer with a window alone", prefill_us(H200, 0, 2048, BEFORE), 5.0, "µs")
    now = sum(prefill_us(H200, r, 2048, MEASURED) for r in (0, 0, 4, 128))
    check("prefill with linear_many, a token of four layers", now, 17.1, "µs")

    print("\n## A layer of ratio 4, one token behind 4,096, on the H200 (predicted)\n")
    table("kernel", "MB", "bytes alone, µs", "µs")
    kernels = decode(H200, 4, 4096, False)
    for name, size, us in kernels:
        row(name, f"{size / 1e6:.1f}", f"{size / (H200.gbs * H200.copy) * 1e-3:.1f}", f"{us + COLD:.1f}")
    row(f"{len(kernels)} kernels", f"{sum(k[1] for k in kernels) / 1e6:.0f}",
        f"{sum(k[1] for k in kernels) / (H200.gbs * H200.copy) * 1e-3:.1f}", f"{sum(k[2] + COLD for k in kernels):.0f}")

    print("\n## A token of a step of 2,048 at the start of a context, layer of ratio 4, on the H200 (predicted)\n")
    table("kernels", "MFLOP", "µs")
    tokens = prefill(H200, 4, 2048, TODAY)
    for name, flops, us in tokens:
        row(name, f"{flops / 1e6:.0f}", f"{us:.2f}")
    row("all", f"{sum(t[1] for t in tokens) / 1e6:.0f}", f"{sum(t[2] for t in tokens):.2f}")

    print("\n## Predicted for V4-Flash, all weights on cards of the kind, one after the other\n")
    table("card", "decode at 128K", "of the bound", "prefill, 2,048 at once from 0", "of the FP8 peak", "of the BF16 peak")
    for card in CARDS:
        us, size = model_decode(card, 131072)
        bound = size / card.gbs * 1e-3
        read = sum(n * prefill_us(card, r, 2048) for r, n in LAYERS.items())
        flops = sum(n * sum(k[1] for k in prefill(card, r, 2048, TODAY)) for r, n in LAYERS.items())
        rate = flops / read * 1e-6
        row(card.name, f"{1e6 / us:.0f} tokens/s", f"{100 * bound / us:.0f} %", f"{1e6 / read:.0f} tokens/s",
            f"{100 * rate / card.fp8:.0f} %", f"{100 * rate / card.bf16:.0f} %")


if __name__ == "__main__":
    main()
