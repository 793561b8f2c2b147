"""Writes a trained model as a released checkpoint, and logits to test an engine with.

    python3 export.py FINAL.pt CONFIG.json MODEL_FOLDER GOLDEN_FOLDER [TEMPERATURE]

MODEL_FOLDER gets model.safetensors, config.json and ambit.json (tokenizer.json is there already).
GOLDEN_FOLDER gets ids.json and logits.f32 (fp32 little-endian, one row of the vocabulary for each of `rows`): the file's
weights, read back and dequantised, in this program's graph. TEMPERATURE (1) divides the head: a model that has read
its text several times is surer on unseen text than it is right.
"""

import json
import os
import shutil
import sys

import numpy as np
import torch

import safetensors
from model import Config, Model, released_name
from documents import LENGTH
from quant import E2M1, E4M3, stored


def dequantised(tensors: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One tensor of the file as fp32, by the file's own codes."""
    data = tensors[name]
    scale_name = name[:-len("weight")] + "scale"
    if not name.endswith("weight") or scale_name not in tensors:
        return data
    scale = np.exp2(tensors[scale_name].astype(np.float32) - 127)
    if data.dtype == np.int8:
        raw = data.view(np.uint8)
        nibbles = np.stack((raw & 15, raw >> 4), -1).reshape(shape)
        value = E2M1[nibbles & 7] * np.where(nibbles & 8, -1, 1)
        return (value * scale.repeat(32, 1)).astype(np.float32)
    value = E4M3[data & 127] * np.where(data & 128, -1, 1)
    return (value * scale.repeat(128, 0).repeat(128, 1)[:shape[0], :shape[1]]).astype(np.float32)


def load_released(folder: str) -> Model:
    model = Model(Config(json.load(open(folder + "/config.json")))).eval()
    tensors = safetensors.read(folder + "/model.safetensors")
    with torch.no_grad():
        for name, target in model.state_dict().items():
            value = dequantised(tensors, released_name(name), tuple(target.shape))
            target.copy_(torch.from_numpy(value.copy()).to(target.dtype))
    return model


def main() -> int:
    final, config, folder, golden = sys.argv[1:5]
    temperature = float(sys.argv[5]) if len(sys.argv) > 5 else 1.0
    os.makedirs(golden, exist_ok=True)
    tensors: dict[str, tuple[str, np.ndarray]] = {}
    for name, value in torch.load(final)["model"].items():
        if name == "head.weight":
            value = value.float() / temperature
        tensors.update(stored(released_name(name), value.float() if value.is_floating_point() else value))
    safetensors.write(folder + "/model.safetensors", tensors)
    shutil.copyfile(config, folder + "/config.json")
    json.dump({"name": "ambit-nano", "fim": "spm", "prompt_tokens": LENGTH}, open(folder + "/ambit.json", "w"))

    from tokenizer import Tokenizer
    tokenizer = Tokenizer(folder + "/tokenizer.json")
    text = open(__file__).read() + "\nnaïve 你好 x = 1234567;\r\n\t}\n"
    text_ids, model = tokenizer.encode(text), load_released(folder)
    # Where the last chosen and the first rejected row score alike, two right programs may choose
    # differently: the fixture ends before the first such position, in the text where that is latest.
    ids, logits = [], torch.zeros(0)
    for start in range(0, len(text_ids) - LENGTH + 1, 50):
        tried = [0] + text_ids[start:start + LENGTH - 1]
        with torch.no_grad():
            result = model(torch.tensor([tried]))[0]
        margins = torch.stack([l.attn.index_margin for l in model.layers if l.attn.ratio == 4]).amin(0)
        close = (margins < 1e-5).nonzero()
        n = close[0].item() if len(close) else LENGTH
        if n > len(ids):
            ids, logits = tried[:n], result[:n]
    keep = [r for r in (0, 1, 2, 3, 7, 63, 127, 128, 129, 200, 255, 256, 259, 280, 400, 511, 512, 513, 530, 600, 639) if r < len(ids)]
    json.dump({"text": text, "text_ids": text_ids, "ids": ids, "rows": keep}, open(golden + "/ids.json", "w"))
    logits[keep].numpy().astype("<f4").tofile(golden + "/logits.f32")
    print(f"the fixture has {len(ids)} ids")
    print(f"{len(tensors)} tensors, {os.path.getsize(folder + '/model.safetensors')} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
