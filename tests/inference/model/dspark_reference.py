#!/usr/bin/env python3
"""DSpark's draft in plain Python, written from the design notes (section 8.2) and sharing no code with the engine:
dspark_reference.py CHECKPOINT BLOCKS POSITIONS NEXT OUT [MISTAKE]
BLOCKS: fp32 [layers, positions, n * D], every backbone layer's output. NEXT: the token that follows.
OUT: fp32, for each drafted slot its logits and the confidence in it, each slot after the likeliest token of the one before.
MISTAKE: what an implementation may get wrong, to see that a comparison notices it."""
import array, json, math, struct, sys


class Checkpoint:
    def __init__(self, folder):
        self.config = json.load(open(folder + "/config.json"))
        self.file = open(folder + "/model.safetensors", "rb")
        (size,) = struct.unpack("<Q", self.file.read(8))
        self.header = json.loads(self.file.read(size))
        self.start = 8 + size

    def raw(self, name):
        entry = self.header[name]
        first, end = entry["data_offsets"]
        self.file.seek(self.start + first)
        return entry["dtype"], entry["shape"], self.file.read(end - first)

    def rows(self, name):
        """A matrix as a list of rows, a vector as one row."""
        dtype, shape, data = self.raw(name)
        if dtype == "F32":
            flat = array.array("f", data).tolist()
        elif dtype == "BF16":
            words = array.array("H", data)
            flat = array.array("f", array.array("I", [w << 16 for w in words]).tobytes()).tolist()
        else:
            return self.scaled(name, dtype, shape, data)
        cols = shape[-1]
        return [flat[i:i + cols] for i in range(0, len(flat), cols)]

    def scaled(self, name, dtype, shape, data):
        _, grid, exponents = self.raw(name[:-len("weight")] + "scale")
        half = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
        out = []
        for r in range(shape[0]):
            line = data[r * shape[1]:(r + 1) * shape[1]]
            if dtype == "F8_E4M3":
                values = [fp8(b) for b in line]
                scale = [2.0 ** (exponents[r // 128 * grid[1] + k // 128] - 127) for k in range(len(values))]
            else:
                codes = [c for b in line for c in (b & 15, b >> 4)]
                values = [half[c & 7] * (-1 if c & 8 else 1) for c in codes]
                scale = [2.0 ** (exponents[r * grid[1] + k // 32] - 127) for k in range(len(values))]
            out.append([v * s for v, s in zip(values, scale)])
        return out

    def vector(self, name):
        return [x for row in self.rows(name) for x in row]


def fp8(b):
    exponent, mantissa = b >> 3 & 15, b & 7
    value = mantissa / 8 * 2.0 ** -6 if exponent == 0 else (1 + mantissa / 8) * 2.0 ** (exponent - 7)
    return -value if b & 128 else value


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def times(matrix, x):
    return [dot(row, x) for row in matrix]


def rms(x, weight=None):
    scale = 1 / math.sqrt(dot(x, x) / len(x) + 1e-6)
    return [v * scale * w for v, w in zip(x, weight or [1] * len(x))]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def rotate(x, rope, position, theta, back=False):
    """The last `rope` values, by pairs of neighbours."""
    out = list(x)
    first = len(x) - rope
    for i in range(rope // 2):
        angle = position * theta ** (-2 * i / rope) * (-1 if back else 1)
        a, b = x[first + 2 * i], x[first + 2 * i + 1]
        out[first + 2 * i] = a * math.cos(angle) - b * math.sin(angle)
        out[first + 2 * i + 1] = a * math.sin(angle) + b * math.cos(angle)
    return out


class Site:
    """Hyper-connections around one sublayer."""

    def __init__(self, file, name, n):
        self.n = n
        self.fn, self.base, self.scale = file.rows(name + "_fn"), file.vector(name + "_base"), file.vector(name + "_scale")

    def mixes(self, streams):
        flat = [v for s in streams for v in s]
        scale = 1 / math.sqrt(dot(flat, flat) / len(flat) + 1e-6)
        return [m * scale for m in times(self.fn, flat)]

    def before(self, streams):
        n, m = self.n, self.mixes(streams)
        pre = [sigmoid(m[j] * self.scale[0] + self.base[j]) + 1e-6 for j in range(n)]
        self.post = [2 * sigmoid(m[n + j] * self.scale[1] + self.base[n + j]) for j in range(n)]
        c = [[m[2 * n + n * j + k] * self.scale[2] + self.base[2 * n + n * j + k] for k in range(n)] for j in range(n)]
        c = [[math.exp(v - max(row)) for v in row] for row in c]
        c = [[v / sum(row) + 1e-6 for v in row] for row in c]
        for turn in range(20):
            if turn:
                c = [[v / (sum(row) + 1e-6) for v in row] for row in c]
            sums = [sum(c[j][k] for j in range(n)) + 1e-6 for k in range(n)]
            c = [[c[j][k] / sums[k] for k in range(n)] for j in range(n)]
        self.comb = c
        return [sum(pre[j] * streams[j][i] for j in range(n)) for i in range(len(streams[0]))]

    def after(self, streams, f):
        n = self.n
        return [[self.post[k] * f[i] + sum(self.comb[j][k] * streams[j][i] for j in range(n)) for i in range(len(f))] for k in range(n)]

    def collapse(self, streams):
        m = self.mixes(streams)
        pre = [sigmoid(m[j] * self.scale[0] + self.base[j]) + 1e-6 for j in range(self.n)]
        return [sum(pre[j] * streams[j][i] for j in range(self.n)) for i in range(len(streams[0]))]


class Stage:
    def __init__(self, file, at):
        c = self.c = file.config
        self.sites = [Site(file, at + name, c["hc_mult"]) for name in ("hc_attn", "hc_ffn")]
        self.norms = [file.vector(at + name + ".weight") for name in ("attn_norm", "ffn_norm")]
        a = at + "attn."
        self.wq_a, self.wq_b, self.wkv, self.wo_a, self.wo_b = (file.rows(f"{a}{w}.weight") for w in ("wq_a", "wq_b", "wkv", "wo_a", "wo_b"))
        self.q_norm, self.kv_norm, self.sink = file.vector(a + "q_norm.weight"), file.vector(a + "kv_norm.weight"), file.vector(a + "attn_sink")
        f = at + "ffn."
        self.gate, self.bias = file.rows(f + "gate.weight"), file.vector(f + "gate.bias")
        names = [f"experts.{e}." for e in range(c["n_routed_experts"])] + ["shared_experts."]
        self.experts = [[file.rows(f"{f}{e}{w}.weight") for w in ("w1", "w2", "w3")] for e in names]

    def key(self, x, position):
        return rotate(rms(times(self.wkv, x), self.kv_norm), self.c["qk_rope_head_dim"], position, self.c["rope_theta"])

    def attend(self, x, position, rows):
        c = self.c
        dim, heads, rope, groups = c["head_dim"], c["num_attention_heads"], c["qk_rope_head_dim"], c["o_groups"]
        q = times(self.wq_b, rms(times(self.wq_a, x), self.q_norm))
        out = []
        for h in range(heads):
            query = rotate(rms(q[h * dim:(h + 1) * dim]), rope, position, c["rope_theta"])
            weights = [math.exp(dot(query, row) / math.sqrt(dim)) for row in rows]
            total = sum(weights) + math.exp(self.sink[h])
            o = [sum(w * row[i] for w, row in zip(weights, rows)) / total for i in range(dim)]
            out += rotate(o, rope, position, c["rope_theta"], back=True)
        share, low = len(out) // groups, c["o_lora_rank"]
        z = [v for g in range(groups) for v in times(self.wo_a[g * low:(g + 1) * low], out[g * share:(g + 1) * share])]
        return times(self.wo_b, z)

    def expert(self, which, x, weight):
        w1, w2, w3 = self.experts[which]
        limit = self.c["swiglu_limit"]
        gated = [min(g, limit) for g in times(w1, x)]
        up = [max(-limit, min(u, limit)) for u in times(w3, x)]
        return times(w2, [g * sigmoid(g) * u * weight for g, u in zip(gated, up)])

    def feed(self, x):
        score = [math.sqrt(math.log1p(math.exp(v))) for v in times(self.gate, x)]
        chosen = sorted(range(len(score)), key=lambda e: -(score[e] + self.bias[e]))[:self.c["num_experts_per_tok"]]
        total = sum(score[e] for e in chosen)
        parts = [self.expert(e, x, score[e] / total * self.c["routed_scaling_factor"]) for e in chosen] + [self.expert(-1, x, 1)]
        return [sum(values) for values in zip(*parts)]

    def run(self, block, first, main_rows, causal):
        sub = [rms(self.sites[0].before(streams), self.norms[0]) for streams in block]
        own = [self.key(x, first + i) for i, x in enumerate(sub)]
        out = []
        for i, streams in enumerate(block):
            self.sites[0].before(streams)
            f = self.attend(sub[i], first + i, main_rows + (own[:i + 1] if causal else own))
            streams = self.sites[0].after(streams, f)
            x = rms(self.sites[1].before(streams), self.norms[1])
            out.append(self.sites[1].after(streams, self.feed(x)))
        return out


def main():
    folder, blocks_path, positions, following, out_path = sys.argv[1:6]
    mistake = sys.argv[6] if len(sys.argv) > 6 else ""
    positions, following = int(positions), int(following)
    file = Checkpoint(folder)
    c = file.config
    n, dim, size = c["hc_mult"], c["hidden_size"], c["dspark_block_size"]
    values = array.array("f", open(blocks_path, "rb").read())

    def tapped(position):
        taps = []
        for layer in c["dspark_target_layer_ids"]:
            layer -= mistake == "taps"
            at = (layer * positions + position) * n * dim
            taps += [sum(values[at + j * dim + i] for j in range(n)) / n for i in range(dim)]
        return taps

    main_proj, main_norm = file.rows("mtp.0.main_proj.weight"), file.vector("mtp.0.main_norm.weight")
    window = c["sliding_window"] - (mistake == "window")
    near = range(max(0, positions - window), positions)
    main_x = {p: rms(times(main_proj, tapped(p)), main_norm) for p in near}
    embed = file.rows("embed.weight")
    noise = c["dspark_noise_token_id"] + (mistake == "noise")
    block = [[embed[t]] * n for t in [following] + [noise] * (size - 1)]
    stages = len(c["compress_ratios"]) - c["num_hidden_layers"]
    for s in range(stages):
        stage = Stage(file, f"mtp.{s}.")
        rows = [stage.key(main_x[p], p) for p in near]
        block = stage.run(block, positions + (mistake == "seed"), rows, mistake == "causal")
    last = f"mtp.{stages - 1}."
    collapse, norm, head = Site(file, last + "hc_head", n), file.vector(last + "norm.weight"), file.rows("head.weight")
    w1, w2 = (file.rows(f"{last}markov_head.markov_w{k}.weight") for k in (1, 2))
    confidence = file.vector(last + "confidence_head.proj.weight")
    token, out = following, array.array("f")
    for streams in block:
        x = collapse.collapse(streams)
        sure = sigmoid(dot(confidence, x + w1[token]))
        logits = [a + b for a, b in zip(times(head, rms(x, norm)), [0] * len(head) if mistake == "markov" else times(w2, w1[token]))]
        out.extend(logits + [sure])
        token = max(range(len(logits)), key=logits.__getitem__)
    open(out_path, "wb").write(out.tobytes())


if __name__ == "__main__":
    main()
