#!/usr/bin/env python3
"""Writes a DeepSeek-V4 checkpoint with random weights: random_checkpoint.py SHAPE f32|bf16|native FOLDER [dspark]. Its text means nothing.
native: formats as released, FP8 with 128x128 scales, FP4 experts, BF16 for what stays BF16.
SHAPE flash:N is Flash to the number, but N of its 43 layers: 3.6 GB a layer. Folders FOLDER-M beside it, for M = 4 … N - 2 in steps of 4,
are the first M layers of the same file: the difference of two is what a pair of layers costs.
slice is Flash to the number too, but 8 of its layers, 8 of its experts and as much of its vocabulary as 8 layers' share of the head: 2.5 GB
in the released formats, of which a token reads what 8 layers of Flash would.
dspark: with three draft blocks, as later releases have them."""
import array, json, math, os, random, struct, sys

# Flash's schedule, compression ratios and top-k everywhere; the widths differ. "mid" reads 150 MB of BF16 a token.
COMMON = dict(
    model_type="deepseek_v4", architectures=["DeepseekV4ForCausalLM"], hc_mult=4, hc_sinkhorn_iters=20, hc_eps=1e-6, rms_norm_eps=1e-6,
    num_key_value_heads=1, sliding_window=128, index_topk=512, num_experts_per_tok=6, n_shared_experts=1, num_hash_layers=3,
    scoring_func="sqrtsoftplus", topk_method="noaux_tc", norm_topk_prob=True, routed_scaling_factor=1.5, swiglu_limit=10.0, rope_theta=10000,
    compress_rope_theta=160000, max_position_embeddings=1 << 20, tie_word_embeddings=False, hidden_act="silu", bos_token_id=0, eos_token_id=1,
    rope_scaling=dict(type="yarn", factor=16, original_max_position_embeddings=65536, beta_fast=32, beta_slow=1))
SHAPES = {
    "micro": dict(num_hidden_layers=4, hidden_size=64, num_attention_heads=4, head_dim=32, qk_rope_head_dim=16, q_lora_rank=32, o_groups=2,
                  o_lora_rank=16, index_n_heads=2, index_head_dim=32, n_routed_experts=8, moe_intermediate_size=32, vocab_size=24,
                  sliding_window=24, dspark_markov_rank=8),
    "tiny": dict(num_hidden_layers=6, hidden_size=128, num_attention_heads=4, head_dim=128, qk_rope_head_dim=32, q_lora_rank=64, o_groups=2,
                 o_lora_rank=64, index_n_heads=4, index_head_dim=64, n_routed_experts=16, moe_intermediate_size=64, vocab_size=512),
    # The least that the CUDA kernels serve.
    "small": dict(num_hidden_layers=5, hidden_size=128, num_attention_heads=2, head_dim=128, qk_rope_head_dim=64, q_lora_rank=64, o_groups=2,
                  o_lora_rank=128, index_n_heads=4, index_head_dim=64, n_routed_experts=8, moe_intermediate_size=128, vocab_size=512,
                  sliding_window=32, dspark_markov_rank=32),
    "mid": dict(num_hidden_layers=8, hidden_size=1024, num_attention_heads=16, head_dim=128, qk_rope_head_dim=32, q_lora_rank=256, o_groups=4,
                o_lora_rank=256, index_n_heads=16, index_head_dim=64, n_routed_experts=16, moe_intermediate_size=512, vocab_size=4096),
    "flash": dict(num_hidden_layers=43, hidden_size=4096, num_attention_heads=64, head_dim=512, qk_rope_head_dim=64, q_lora_rank=1024, o_groups=8,
                  o_lora_rank=1024, index_n_heads=64, index_head_dim=128, n_routed_experts=256, moe_intermediate_size=2048, vocab_size=129280),
}
SHAPES["slice"] = dict(SHAPES["flash"], num_hidden_layers=8, n_routed_experts=8, vocab_size=24064)
# Large tensors are so many bytes again and again. Odd, so that no two rows of a matrix are the same: heads that are would all score alike.
PIECE = (1 << 22) + 8191


def with_dspark(c):
    layers = c["num_hidden_layers"]
    return dict({"dspark_markov_rank": 256, **c}, dspark_block_size=5, dspark_noise_token_id=c["vocab_size"] - 2,
                dspark_target_layer_ids=[layers - 3, layers - 2, layers - 1], compress_ratios=c["compress_ratios"] + [0, 0, 0])


def ratios(layers):
    return [0, 0] + [4 if l % 2 == 0 else 128 for l in range(2, layers)]


def tensors(c):
    """(name, shape, kind): kind "matrix" takes DTYPE, "f32" and "table" their own; "one" is a norm's weight, about 1."""
    D, H, d, q, n = c["hidden_size"], c["num_attention_heads"], c["head_dim"], c["q_lora_rank"], c["hc_mult"]
    G, low, F, V, E = c["o_groups"], c["o_lora_rank"], c["moe_intermediate_size"], c["vocab_size"], c["n_routed_experts"]
    yield "embed.weight", [V, D], "matrix"
    yield "head.weight", [V, D], "matrix"
    yield "norm.weight", [D], "one"
    for at, rows, scales in [("hc_head", n, 1)]:
        yield at + "_fn", [rows, n * D], "f32"
        yield at + "_base", [rows], "f32"
        yield at + "_scale", [scales], "f32"
    blocks = [(f"layers.{l}.", c["compress_ratios"][l], l < c["num_hash_layers"]) for l in range(c["num_hidden_layers"])]
    if "dspark_block_size" in c:
        yield "mtp.0.main_proj.weight", [D, len(c["dspark_target_layer_ids"]) * D], "matrix"
        yield "mtp.0.main_norm.weight", [D], "one"
        yield "mtp.2.norm.weight", [D], "one"
        yield "mtp.2.hc_head_fn", [n, n * D], "f32"
        yield "mtp.2.hc_head_base", [n], "f32"
        yield "mtp.2.hc_head_scale", [1], "f32"
        yield "mtp.2.markov_head.markov_w1.weight", [V, c["dspark_markov_rank"]], "matrix"
        yield "mtp.2.markov_head.markov_w2.weight", [V, c["dspark_markov_rank"]], "matrix"
        yield "mtp.2.confidence_head.proj.weight", [1, D + c["dspark_markov_rank"]], "matrix"
        blocks += [(f"mtp.{s}.", 0, False) for s in range(3)]
    for p, r, hashed in blocks:
        yield p + "attn_norm.weight", [D], "one"
        yield p + "ffn_norm.weight", [D], "one"
        for at in ("hc_attn", "hc_ffn"):
            yield p + at + "_fn", [(2 + n) * n, n * D], "f32"
            yield p + at + "_base", [(2 + n) * n], "f32"
            yield p + at + "_scale", [3], "f32"
        a = p + "attn."
        yield a + "attn_sink", [H], "f32"
        yield a + "wq_a.weight", [q, D], "matrix"
        yield a + "q_norm.weight", [q], "one"
        yield a + "wq_b.weight", [H * d, q], "matrix"
        yield a + "wkv.weight", [d, D], "matrix"
        yield a + "kv_norm.weight", [d], "one"
        yield a + "wo_a.weight", [G * low, H * d // G], "matrix"
        yield a + "wo_b.weight", [D, G * low], "matrix"
        uses = [] if r == 0 else [("compressor.", d)] + ([("indexer.compressor.", c["index_head_dim"])] if r == 4 else [])
        for at, dim in uses:
            width = 2 * dim if r == 4 else dim
            yield a + at + "ape", [r, width], "f32"
            yield a + at + "wkv.weight", [width, D], "matrix"
            yield a + at + "wgate.weight", [width, D], "matrix"
            yield a + at + "norm.weight", [dim], "one"
        if r == 4:
            yield a + "indexer.wq_b.weight", [c["index_n_heads"] * c["index_head_dim"], q], "matrix"
            yield a + "indexer.weights_proj.weight", [c["index_n_heads"], D], "matrix"
        f = p + "ffn."
        yield f + "gate.weight", [E, D], "matrix"
        if hashed:
            yield f + "gate.tid2eid", [V, c["num_experts_per_tok"]], "table"
        else:
            yield f + "gate.bias", [E], "f32"
        for at in [f"experts.{e}." for e in range(E)] + ["shared_experts."]:
            yield f + at + "w1.weight", [F, D], "matrix"
            yield f + at + "w3.weight", [F, D], "matrix"
            yield f + at + "w2.weight", [D, F], "matrix"


def main():
    shape, dtype, folder = sys.argv[1:4]
    shape, _, layers = shape.partition(":")
    c = dict(COMMON, **SHAPES[shape])
    c["num_hidden_layers"] = int(layers or c["num_hidden_layers"])
    c["compress_ratios"] = ratios(c["num_hidden_layers"])
    if "dspark" in sys.argv[4:]:
        c = with_dspark(c)
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(1)
    pool = array.array("f", [rng.gauss(0, 1) for _ in range((1 << 18) - 5)])
    known = {}  # pieces by what is in them

    def floats(scale, offset, upper):
        """Normal numbers, as F32 or as their upper halves (BF16)."""
        if (scale, offset, upper) not in known:
            values = array.array("f", [x * scale + offset for x in pool])
            words = array.array("H", values.tobytes())
            known[scale, offset, upper] = (words[1::2] if upper else words).tobytes()  # little-endian
        return known[scale, offset, upper]

    # Bytes that are FP8 codes of ordinary size, or pairs of FP4 codes.
    codes = rng.randbytes(PIECE).translate(bytes((0x28 + x % 0x20) | (x & 0x80) for x in range(256)))
    header, parts, at = {}, [], 0

    def put(name, code, dims, piece):
        nonlocal at
        size = math.prod(dims) * {"F32": 4, "BF16": 2, "I64": 8}.get(code, 1)
        header[name] = dict(dtype=code, shape=dims, data_offsets=[at, at + size])
        parts.append((at, size, piece))
        at += size

    wide = ("embed.", "head.", ".compressor.", "weights_proj", "ffn.gate.", "markov_head.", "confidence_head.")
    for name, dims, kind in tensors(c):
        if dtype == "native" and kind == "matrix" and not any(part in name for part in wide):
            fp4 = ".experts." in name
            scale = round(math.log2(dims[-1] ** -0.5)) + 127
            put(name, "I8" if fp4 else "F8_E4M3", [dims[0], dims[1] // 2] if fp4 else dims, codes)
            scales = [dims[0], dims[1] // 32] if fp4 else [-(-dims[0] // 128), -(-dims[1] // 128)]
            put(name.replace(".weight", ".scale"), "F8_E8M0", scales, bytes([scale]) * math.prod(scales))
        elif kind == "table":
            ids = ((i // dims[1] + i) % c["n_routed_experts"] for i in range(math.prod(dims)))
            put(name, "I64", dims, array.array("q", ids).tobytes())
        else:
            upper = dtype != "f32" and kind == "matrix"
            scale = dims[-1] ** -0.5 if kind == "matrix" else 0.1
            put(name, "BF16" if upper else "F32", dims, floats(scale, 1.0 if kind == "one" else 0.0, upper))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.join(folder, "model.safetensors")
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + at)
        workers = min(8, os.cpu_count() or 1)
        for worker in range(workers):  # tens of gigabytes take one process too long
            if os.fork() == 0:
                for start, size, piece in parts[worker::workers]:
                    for offset in range(0, size, len(piece)):
                        os.pwrite(f.fileno(), piece[:size - offset], 8 + len(text) + start + offset)
                os._exit(0)
        failed = [status for _, status in (os.wait() for _ in range(workers)) if status]
        if failed:
            sys.exit("a part could not be written: is there room in " + folder + "?")
    for first in range(4, c["num_hidden_layers"] - 1, 4) if shape == "flash" else []:
        beside = f"{folder}-{first}"
        os.makedirs(beside, exist_ok=True)
        link = os.path.join(beside, "model.safetensors")
        if os.path.lexists(link):
            os.remove(link)
        os.symlink(os.path.abspath(path), link)
        with open(os.path.join(beside, "config.json"), "w") as f:
            json.dump(dict(c, num_hidden_layers=first, compress_ratios=c["compress_ratios"][:first]), f, indent=1)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(c, f, indent=1)


if __name__ == "__main__":
    main()
