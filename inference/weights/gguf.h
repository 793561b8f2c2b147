// Reader of GGUF files (version 2 and 3, little-endian), one file or all parts of a split one. The
// container only: what the keys and names of a DeepSeek-V4 file mean is in gguf_checkpoint.h. Files
// are mapped, tensor data is never copied. Every count, length and offset is checked against the
// file; a hostile file gives an Error, never an access out of bounds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/support/file.h"
#include "daemon/support/result.h"
#include "inference/weights/safetensors.h"

namespace ambit::inference {

// Integers of every width come as int64, floats of both as double.
using GgufValue = std::variant<std::int64_t, double, bool, std::string, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<std::string>>;

class Gguf {
 public:
  // A part of a split file ("…-00001-of-00003.gguf") brings the others; metadata is the first's.
  // Errors: kNotFound, kCorrupt, kUnsupported (version, byte order, a tensor type that is not in
  // ops/block_formats.h).
  [[nodiscard]] static Result<Gguf> open(const std::filesystem::path& path);

  [[nodiscard]] const GgufValue* find(std::string_view key) const;
  // The value when it is there and has that type.
  template <class T>
  [[nodiscard]] const T* get(std::string_view key) const {
    const GgufValue* v = find(key);
    return v == nullptr ? nullptr : std::get_if<T>(v);
  }
  // Shapes are row-major, as everywhere in Ambit: the reverse of the file's order.
  [[nodiscard]] const std::map<std::string, Tensor, std::less<>>& tensors() const {
    return tensors_;
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] Result<void> add(const std::filesystem::path& file, bool first);
  std::vector<MappedFile> files_;
  std::map<std::string, GgufValue, std::less<>> values_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::uint64_t bytes_ = 0;
};

}  // namespace ambit::inference
