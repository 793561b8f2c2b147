"""The checkpoint's number formats: FP8 E4M3 with 128x128 scales, FP4 E2M1 with scales of 32 columns.

Scales are powers of two (E8M0). `rounded` gives the values that the stored weight will have, for
training with the rounding in the loop; `stored` gives codes and scale bytes.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
E4M3 = np.array([(m / 8 * 2.0 ** -6) if e == 0 else (1 + m / 8) * 2.0 ** (e - 7)
                 for e in range(16) for m in range(8)][:127], np.float32)


def is_fp4(name: str) -> bool:
    return ".ffn.experts." in name


def is_fp8(name: str) -> bool:
    parts = name.split(".")
    return name.endswith(".weight") and ("shared_experts" in name or parts[-2] in (
        "wq_a", "wq_b", "wo_a", "wo_b", "e_proj", "h_proj") or name.endswith("attn.wkv.weight"))


def scale_of(amax: Tensor, largest: float) -> Tensor:
    return torch.exp2(torch.ceil(torch.log2(amax.clamp(min=1e-6) / largest)))


def round_to(x: Tensor, lowest: int, mantissa: int, largest: float) -> Tensor:
    e = torch.floor(torch.log2(x.abs().clamp(min=1e-30))).clamp(min=lowest)
    step = torch.exp2(e - mantissa)
    return (torch.round(x / step) * step).clamp(-largest, largest)


def fp8_scales(w: Tensor) -> Tensor:
    rows, cols = -(-w.size(0) // 128), -(-w.size(1) // 128)
    padded = F.pad(w.abs(), (0, cols * 128 - w.size(1), 0, rows * 128 - w.size(0)))
    return scale_of(padded.view(rows, 128, cols, 128).amax((1, 3)), 448.0)


def spread(scales: Tensor, w: Tensor) -> Tensor:
    return scales.repeat_interleave(128, 0).repeat_interleave(128, 1)[:w.size(0), :w.size(1)]


def rounded(name: str, w: Tensor) -> Tensor:
    if is_fp4(name):
        groups = w.reshape(w.size(0), -1, 32)
        s = scale_of(groups.abs().amax(-1, keepdim=True), 6.0)
        return (round_to(groups / s, 0, 1, 6.0) * s).reshape(w.shape)
    if is_fp8(name):
        s = spread(fp8_scales(w), w)
        return round_to(w / s, -6, 3, 448.0) * s
    return w


def codes(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    return np.searchsorted(table, np.abs(values)).astype(np.uint8)


def stored(name: str, w: Tensor) -> dict[str, tuple[str, np.ndarray]]:
    """The tensors of the file that hold w, by released name."""
    exponent = lambda s: (np.log2(s).round().astype(np.int32) + 127).astype(np.uint8)
    base = name[:-len("weight")]
    if is_fp4(name):
        groups = w.reshape(w.size(0), -1, 32)
        s = scale_of(groups.abs().amax(-1, keepdim=True), 6.0)
        v = round_to(groups / s, 0, 1, 6.0).reshape(w.shape).numpy()
        c = codes(v, E2M1) | ((v < 0).astype(np.uint8) << 3)
        return {name: ("I8", (c[:, 0::2] | (c[:, 1::2] << 4)).view(np.int8)),
                base + "scale": ("F8_E8M0", exponent(s[..., 0].numpy()))}
    if is_fp8(name):
        s = fp8_scales(w)
        v = round_to(w / spread(s, w), -6, 3, 448.0).numpy()
        return {name: ("F8_E4M3", codes(v, E4M3) | ((v < 0).astype(np.uint8) << 7)),
                base + "scale": ("F8_E8M0", exponent(s.numpy()))}
    if name.endswith("tid2eid"):
        return {name: ("I64", w.numpy())}
    if any(part in name for part in ("hc_", "attn_sink", ".ape", "gate.bias")):
        return {name: ("F32", w.float().numpy())}
    return {name: ("BF16", bf16_bits(w))}


def bf16_bits(w: Tensor) -> np.ndarray:
    return (w.float().bfloat16().float().numpy().view(np.uint32) >> 16).astype(np.uint16)
