#!/usr/bin/env python3
"""Ambit beside llama.cpp on the same GGUF file, in turns: side_by_side.py MODEL.gguf [--ambit PATH] [--threads N] [--prompt P] [--gen G].
Needs llama.cpp's bench from tests/inference/remote/install.sh. Prints both rates and their ratio, the median of the rounds; and, where the target
machine_peak is built, which share of what the machine gave in the same rounds Ambit used: of memory's rate in decode, of fp32 products in prefill."""
import argparse, json, os, pathlib, statistics, subprocess, sys

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--ambit", default="build/release/ambit")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--prompt", type=int, default=512)
parser.add_argument("--gen", type=int, default=128)
parser.add_argument("--rounds", type=int, default=3)
options = parser.parse_args()

cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "ambit-tests/llama/files"
bench = cache / "usr/bin/llama-bench"
if not bench.exists():
    sys.exit("llama.cpp is not here; run tests/inference/remote/install.sh")


def backend():
    """The back end that llama.cpp would choose itself, were its folder where the package puts it: the newest that loads."""
    folder = next(cache.rglob("backends0"))
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    names = [("zen4", "avx512_bf16"), ("icelake", "avx512_vnni"), ("skylakex", "avx512f"), ("haswell", "avx2"), ("x64", "")]
    return str(next(folder / f"libggml-cpu-{name}.so" for name, flag in names if flag in flags))


def llama():
    command = [bench, "-m", options.model, "-p", str(options.prompt), "-n", str(options.gen), "-t", str(options.threads), "-fa", "off", "-r", "1", "-o", "json"]
    run = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, GGML_BACKEND_PATH=backend()))
    if run.returncode != 0:
        sys.exit("llama-bench: " + run.stderr.strip().splitlines()[-1])
    rates = {("prefill" if r["n_prompt"] else "decode"): r["avg_ts"] for r in json.loads(run.stdout)}
    return rates["prefill"], rates["decode"]


def ambit():
    command = [options.ambit, "model", "bench", "--model", options.model, "--prompt", str(options.prompt), "--gen", str(options.gen), "--threads", str(options.threads), "--json"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result["prefill_tps"], result["decode_tps"], result["bandwidth_gbs"]


def peak():
    """What plain loops reach, GB/s and 1e9 multiply-adds a second; the best of the rounds is the machine's."""
    program = pathlib.Path(options.ambit).parent / "machine_peak"
    if not program.exists():
        return None
    result = json.loads(subprocess.run([program, str(options.threads)], check=True, capture_output=True, text=True).stdout)
    return result["read_gbs"], result["multiply_gops"]


def products_of_a_token():
    """In prefill, where the vocabulary's matrix is needed for the last token alone."""
    plan = json.loads(subprocess.run([options.ambit, "plan", "--model", options.model, "--json"], capture_output=True, text=True).stdout)
    bytes_each = round(plan["bytes_per_token"] / plan["active_parameters"])
    return plan["active_parameters"] - plan["parts"]["head"] / bytes_each


theirs, ours, peaks = [], [], []
for _ in range(options.rounds):
    theirs.append(llama())
    ours.append(ambit())
    peaks.append(peak())
print(f"{options.model}, {options.threads} threads, prompt {options.prompt}, {options.rounds} rounds, llama.cpp back end {os.path.basename(backend())}")
for i, what in enumerate(("prefill", "decode")):
    a, b = statistics.median(r[i] for r in ours), statistics.median(r[i] for r in theirs)
    print(f"{what:8} ambit {a:10.1f} tokens/s   llama.cpp {b:10.1f} tokens/s   ratio {a / b:5.2f}")
if None not in peaks:
    read, multiply = max(p[0] for p in peaks), max(p[1] for p in peaks)
    used, done = statistics.median(r[2] for r in ours), statistics.median(r[0] for r in ours) * products_of_a_token() * 1e-9
    other = used * statistics.median(r[1] for r in theirs) / statistics.median(r[1] for r in ours)
    if used > read:
        print(f"decode   {used:.1f} GB/s, from the caches: memory gives {read:.1f}")
    else:
        print(f"decode   ambit {used:.1f} of memory's {read:.1f} GB/s, {100 * used / read:.0f} %   llama.cpp {other:.1f}, {100 * other / read:.0f} %")
    print(f"prefill  ambit {done:.0f} of {multiply:.0f} 1e9 multiply-adds a second, {100 * done / multiply:.0f} %")
