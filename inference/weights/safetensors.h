// Reader of safetensors checkpoints: one file, or the shards that an index names. Files are mapped,
// nothing is copied. Every header field is checked: sizes against dtypes and shapes, offsets
// against the file, names against duplicates; a hostile file gives an Error, never an access out of
// bounds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/file.h"
#include "daemon/support/result.h"
#include "inference/weights/tensor.h"

namespace ambit::inference {

class Safetensors {
 public:
  // path: a .safetensors file, or a directory with model.safetensors or
  // model.safetensors.index.json.
  [[nodiscard]] static Result<Safetensors> open(const std::filesystem::path& path);

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
