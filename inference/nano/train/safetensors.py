"""Reads and writes .safetensors with numpy: the few dtypes that V4 checkpoints use."""

import json
import struct

import numpy as np

DTYPES = {"F32": np.float32, "I32": np.int32, "I64": np.int64, "U8": np.uint8, "I8": np.int8,
          "F8_E4M3": np.uint8, "F8_E8M0": np.uint8, "BF16": np.uint16}


def read(path: str) -> dict[str, np.ndarray]:
    """Arrays by name; BF16 is widened to float32, F8 stay codes."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(size)), f.read()
    out = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        a, b = entry["data_offsets"]
        array = np.frombuffer(data[a:b], DTYPES[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        out[name] = array
    return out


def write(path: str, tensors: dict[str, tuple[str, np.ndarray]]) -> None:
    """tensors: name -> (dtype name, array in its stored form)."""
    header, at, blobs = {}, 0, []
    for name, (dtype, array) in tensors.items():
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(blob)]}
        at += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
