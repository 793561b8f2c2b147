// One tensor of a checkpoint file, whatever the file's format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/ops/block_formats.h"

namespace ambit::inference {

// kBlocks: one of the formats of GGUF files.
enum class TensorType : std::uint8_t {
  kF32,
  kF16,
  kBf16,
  kF8E4m3,
  kF8E8m0,
  kI8,
  kU8,
  kI32,
  kI64,
  kBlocks,
};

// Of one element; 0 for kBlocks.
[[nodiscard]] std::size_t bytes_of(TensorType type);
[[nodiscard]] std::string_view to_string(TensorType type);

struct Tensor {
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;                    // row-major
  std::span<const std::byte> data;                    // into the mapping
  ops::BlockFormat blocks = ops::BlockFormat::kQ8_0;  // when type is kBlocks
  [[nodiscard]] std::int64_t elements() const {
    std::int64_t n = 1;
    for (const std::int64_t d : shape) n *= d;
    return n;
  }
};

// "F8_E4M3", "Q4_K", …
[[nodiscard]] std::string_view dtype_name(const Tensor& tensor);

// Fit to be a name and to be shown: printable and of a bounded length. Readers refuse other names,
// so that messages which quote one stay a line.
[[nodiscard]] bool is_plain_name(std::string_view name);

using TensorMap = std::map<std::string, Tensor, std::less<>>;

}  // namespace ambit::inference
