"""Compares this program's graph with the golden logits:  python3 check_golden.py GOLDEN_FOLDER"""

import json
import sys

import numpy as np
import torch

import safetensors
from model import Config, Model, released_name


def load(folder: str) -> Model:
    config = Config(json.load(open(folder + "/config.json")))
    model, tensors = Model(config).eval(), safetensors.read(folder + "/model.safetensors")
    with torch.no_grad():
        state = model.state_dict()
        for name, target in state.items():
            target.copy_(torch.from_numpy(tensors[released_name(name)].copy()).to(target.dtype))
        missing = set(tensors) - {released_name(n) for n in state}
    assert not missing, f"tensors of the checkpoint that the graph lacks: {sorted(missing)[:5]}"
    return model


def main() -> int:
    bad = 0
    for name, limit, limit_rms in (("f32-a", 1e-3, 5e-5), ("bf16-b", 2e-4, 2e-5)):
        model = load(f"{sys.argv[1]}/{name}")
        vectors = safetensors.read(f"{sys.argv[1]}/{name}/vectors.safetensors")
        for case in ("S5", "S129", "S300", "S1100"):
            ids = torch.from_numpy(vectors[case + "/ids"].astype(np.int64))[None]
            with torch.no_grad():
                x = model.streams(ids)
                got = model.logits(x)[0, vectors[case + "/logit_pos"]].numpy()
                worst = [np.abs(got - vectors[case + "/logits"])]
                if case + "/mtp_logits" in vectors:
                    mtp = model.mtp_logits(x[:, :-1], ids[:, 1:])[0, vectors[case + "/mtp_pos"]].numpy()
                    worst.append(np.abs(mtp - vectors[case + "/mtp_logits"]))
            largest, rms = max(w.max() for w in worst), np.sqrt((worst[0] ** 2).mean())
            ok = largest < limit and rms < limit_rms
            bad += not ok
            print(f"{name} {case}: largest {largest:.2e} rms {rms:.2e} {'ok' if ok else 'DIFFERS'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
