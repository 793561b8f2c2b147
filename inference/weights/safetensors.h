// Reader of safetensors checkpoints: one file, or the shards that an index names. Files are mapped,
// nothing is copied. Every header field is checked: sizes against dtypes and shapes, offsets
// against the file, names against duplicates; a hostile file gives an Error, never an access out of
// bounds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/file.h"
#include "daemon/support/result.h"

namespace ambit::inference {

enum class TensorType : std::uint8_t { kF32, kF16, kBf16, kF8E4m3, kF8E8m0, kI8, kU8, kI32, kI64 };

[[nodiscard]] std::size_t bytes_of(TensorType type);
[[nodiscard]] std::string_view to_string(TensorType type);

struct Tensor {
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;  // into the mapping
  [[nodiscard]] std::int64_t elements() const {
    std::int64_t n = 1;
    for (const std::int64_t d : shape) n *= d;
    return n;
  }
};

class Safetensors {
 public:
  // path: a .safetensors file, or a directory with model.safetensors or
  // model.safetensors.index.json.
  [[nodiscard]] static Result<Safetensors> open(const std::filesystem::path& path);

  // Puts every tensor under its released name (weights/names.h).
  [[nodiscard]] Result<void> use_released_names();

  [[nodiscard]] const Tensor* find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, Tensor, std::less<>>& tensors() const {
    return tensors_;
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] Result<void> add(const std::filesystem::path& file);
  std::vector<MappedFile> files_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::uint64_t bytes_ = 0;
};

}  // namespace ambit::inference
