// Writes GGUF files, version 3: the container alone, as gguf.h reads it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::inference {

// By ggml's numbers.
enum class GgufType : std::uint32_t { kF32 = 0, kF16 = 1, kI32 = 26, kBf16 = 30, kMxfp4 = 39 };

struct GgufTensor {
  std::string name;
  GgufType type = GgufType::kF32;
  std::vector<std::int64_t> shape;  // row-major
  // The data, in one piece or several: called once each, while the file is written.
  std::vector<std::function<Result<std::string>()>> parts;
};

class GgufWriter {
 public:
  void number(std::string_view key, std::uint32_t value);
  void real(std::string_view key, float value);
  void boolean(std::string_view key, bool value);
  void text(std::string_view key, std::string_view value);
  void texts(std::string_view key, const std::vector<std::string>& values);
  void numbers(std::string_view key, const std::vector<std::int32_t>& values);
  void reals(std::string_view key, const std::vector<float>& values);
  void add(GgufTensor tensor) { tensors_.push_back(std::move(tensor)); }

  [[nodiscard]] std::size_t size() const { return tensors_.size(); }
  // The bytes written. kIo, kCorrupt when a part has not the size that its shape says.
  [[nodiscard]] Result<std::uint64_t> write(const std::filesystem::path& path) const;

 private:
  void begin(std::string_view key, std::uint32_t type);
  std::string metadata_;
  std::uint64_t keys_ = 0;
  std::vector<GgufTensor> tensors_;
};

}  // namespace ambit::inference
