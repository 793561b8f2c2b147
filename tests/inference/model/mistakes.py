#!/usr/bin/env python3
"""Plants mistakes of the golden data's table in the engine's source, one at a time: mistakes.py SOURCE_DIR BUILD_DIR.
Each must move the logits out of the tolerance (golden_probe). Those that a configuration or a weight can express are in mutation_test.cpp."""
import concurrent.futures, json, os, pathlib, shlex, subprocess, sys

source, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
MODEL, OPS = "inference/model/", "inference/ops/"
ATTENTION, INDEX = "use == CompressorUse::kAttention", "use == CompressorUse::kIndex"


def missing_half(use):
    return [("  const std::size_t own =", """  static const float zeros[kMostRowDim] = {};
  for (int t = 0; l.overlap && c == 0 && """ + use + """ && t < l.ratio; ++t, ++n) values[n] = scores[n] = zeros;
  const std::size_t own =""")]


def no_overlap(use):
    return [("if (l.overlap && c > 0) {", "if (l.overlap && c > 0 && !(" + use + ")) {")]


def row_position(position):
    return [("step.rope_compress.frequencies, first,", "step.rope_compress.frequencies, " + position + ",")]


# mistake: (file, [(text, with the mistake)]); each text must be there.
MISTAKES = {
    "rope pairs as halves, not neighbours": (OPS + "rope_cpu.cpp", [("tail[2 * i + 1]", "tail[i + rope_dim / 2]"), ("tail[2 * i]", "tail[i]")]),
    "rope on leading dims, not trailing": (OPS + "rope_cpu.cpp", [("(dim - rope_dim)", "0 * dim")]),
    "output not de-rotated": (MODEL + "attend.cpp", [("rope_apply(out, to - from,", "rope_apply(out, 0,")]),
    "sliding layers use compressed rope": (MODEL + "attention.cpp", [("ratio == 0 ? step.rope_main : step.rope_compress", "step.rope_compress")]),
    "sinkhorn rows before columns": (OPS + "hc_mix_cpu.cpp", [
        ("    divide_by_row_sums(c, n, a.hc_eps);\n    divide_by_column_sums(c", "    divide_by_COLUMN_sums(c, n, a.hc_eps);\n    divide_by_row_sums(c"),
        ("  divide_by_column_sums(c, n, a.hc_eps);\n  for", "  divide_by_row_sums(c, n, a.hc_eps);\n  for"), ("COLUMN", "column")]),
    "post without the factor 2": (OPS + "hc_mix_cpu.cpp", [("2.0F * sigmoid", "sigmoid")]),
    "comb not transposed": (OPS + "hc_mix_cpu.cpp", [("comb[j * n + k]", "comb[k * n + j]")]),
    "mHC norm per stream instead of over all": (MODEL + "hyper_connections.cpp", [
        ("  linear(step, w.fn, {streams, wide, step.rows}, {m, outs});", """  float* normed = step.scratch->take(step.rows * wide);
  for (std::size_t i = 0; i < step.rows * wide; ++i) normed[i] = streams[i] * step.ops.inverse_rms(streams + i / dim * dim, dim, c.rms_norm_eps);
  linear(step, w.fn, {normed, wide, step.rows}, {m, outs});"""),
        (".inverse_rms = step.ops.inverse_rms(x, wide, c.rms_norm_eps)", ".inverse_rms = 1.0F")]),
    "q not normalised per head": (MODEL + "attention.cpp", [(".rows = heads,", ".rows = 0,")]),
    "no causal cut on ratio-128 rows": (MODEL + "attend.cpp", [
        ("static_cast<std::size_t>((position(i) + 1) / ratio_)", "(segment_.start + segment_.count) / ratio_")]),
    "ratio-128 rows visible one token late": (MODEL + "attend.cpp", [("(position(i) + 1) / ratio_", "position(i) / ratio_")]),
    "ratio-4 rows visible one token late": (MODEL + "lightning_indexer.cpp", [
        ("static_cast<std::int64_t>(i) + 1) / ratio", "static_cast<std::int64_t>(i)) / ratio")]),
    "indexer scores without ReLU": (OPS + "index_scores_cpu.cpp", [("std::max(dot, 0.0F)", "dot")]),
    "indexer query not roped": (MODEL + "lightning_indexer.cpp", [("rope_apply(query, heads,", "rope_apply(query, 0,")]),
    "no overlap in ratio-4 attention compressor": (MODEL + "compressor.cpp", no_overlap(ATTENTION)),
    "no overlap in ratio-4 indexer compressor": (MODEL + "compressor.cpp", no_overlap(INDEX)),
    "first window's missing half counted as zero score (attention)": (MODEL + "compressor.cpp", missing_half(ATTENTION)),
    "first window's missing half counted as zero score (indexer)": (MODEL + "compressor.cpp", missing_half(INDEX)),
    "row rope position at window end (attention)": (MODEL + "compressor.cpp", row_position(f"first + ({ATTENTION} ? l.ratio - 1 : 0)")),
    "row rope position at window end (indexer)": (MODEL + "compressor.cpp", row_position(f"first + ({INDEX} ? l.ratio - 1 : 0)")),
    "row rope position = row index (ratio 128)": (MODEL + "compressor.cpp", row_position("l.ratio == 128 ? c : first")),
    "swiglu clamp missing (experts)": (MODEL + "moe.cpp", [("c.swiglu_limit,", "weights == nullptr ? c.swiglu_limit : 1e30F,")]),
    "swiglu clamp missing (shared expert)": (MODEL + "moe.cpp", [("c.swiglu_limit,", "weights != nullptr ? c.swiglu_limit : 1e30F,")]),
    "gate clamped from below too": (OPS + "experts_cpu.cpp", [("std::min(gate[i], limit)", "std::clamp(gate[i], -limit, limit)")]),
    "routing weights not normalised": (OPS + "route_cpu.cpp", [(" / sum *", " *")]),
    "routing weights taken with bias": (OPS + "route_cpu.cpp", [("s[a.ids[i]]", "(s[a.ids[i]] + (a.bias ? a.bias[a.ids[i]] : 0.0F))")]),
    "score = softplus without sqrt": (OPS + "route_cpu.cpp", [("std::sqrt(softplus(a.logits[e]))", "softplus(a.logits[e])")]),
}

compile_of = {os.path.relpath(c["file"], source): shlex.split(c["command"]) for c in json.loads((build / "compile_commands.json").read_text())}
commands = subprocess.run(["ninja", "-C", str(build), "-t", "commands", "golden_probe"], capture_output=True, text=True)
if commands.returncode != 0:
    print("skipped: the link command is asked of Ninja, which did not make this build")
    sys.exit(77)
link_line = commands.stdout.strip().splitlines()[-1]
folder = build / "mistakes"
folder.mkdir(exist_ok=True)


def probe(name, file, edits):
    """The probe's exit code and output with the edits in place."""
    stem = folder / "".join(ch if ch.isalnum() else "_" for ch in name)
    text = (source / file).read_text()
    for old, new in edits:
        if old not in text:
            sys.exit(f"{name}: {file} has no `{old}` any more; plant the mistake where it can be made now")
        text = text.replace(old, new)
    mutated, object_file, program = f"{stem}.cpp", f"{stem}.o", str(stem)
    pathlib.Path(mutated).write_text(text)
    command, skip = [], False
    for word in compile_of[file]:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT", "-c"):
            skip = True
        elif word not in ("-MD", "-Werror"):
            command.append(word)
    subprocess.run(command + ["-O1", "-w", "-c", mutated, "-o", object_file], cwd=build, check=True)
    # Ahead of the library, whose own object of that name is then not taken.
    words = shlex.split(link_line.split("&&")[1])
    at = words.index("-o")
    words[at + 1] = program
    subprocess.run(words[:at] + [object_file] + words[at:], cwd=build, check=True)
    run = subprocess.run([program], cwd=source, capture_output=True, text=True)
    for path in (mutated, object_file, program):
        os.remove(path)
    return run.returncode, run.stdout.strip()


control = probe("no mistake", OPS + "rope_cpu.cpp", [])
if control[0] == 77:
    print("skipped: golden checkpoint f32-a is not here")
    sys.exit(77)
failed = control[0] != 0
print(f"{'no mistake':64} {control[1]}")
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    results = pool.map(lambda item: (item[0], probe(item[0], *item[1])), MISTAKES.items())
    for name, (code, output) in results:
        failed |= code != 1
        print(f"{name:64} {output}{'' if code == 1 else '   NOT NOTICED'}", flush=True)
sys.exit(1 if failed else 0)
