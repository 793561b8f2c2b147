#include "inference/weights/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/weights/names.h"
#include "inference/weights/safetensors_header.h"

namespace ambit::inference {
namespace {

struct TypeName {
  std::string_view name;
  TensorType type;
  std::size_t bytes;
};
constexpr std::array kTypes = {
    TypeName{"F32", TensorType::kF32, 4},        TypeName{"F16", TensorType::kF16, 2},
    TypeName{"BF16", TensorType::kBf16, 2},      TypeName{"F8_E4M3", TensorType::kF8E4m3, 1},
    TypeName{"F8_E8M0", TensorType::kF8E8m0, 1}, TypeName{"I8", TensorType::kI8, 1},
    TypeName{"U8", TensorType::kU8, 1},          TypeName{"I32", TensorType::kI32, 4},
    TypeName{"I64", TensorType::kI64, 8},
};

constexpr std::uint64_t kLongestHeader = std::uint64_t{256} << 20U;

Error corrupt(const std::filesystem::path& file, const std::string& why) {
  return make_error(Code::kCorrupt,
                    file.filename().string() + ": " + why + "; download the checkpoint again");
}

// One entry of a header as a tensor; `data` is what follows the header. Returns what is wrong.
std::string_view read_entry(const HeaderEntry& entry, std::span<const std::byte> data, Tensor& t) {
  if (!entry.complete) return "lacks dtype, shape or data_offsets";
  const TypeName* type = nullptr;
  for (const TypeName& k : kTypes) {
    if (entry.dtype == k.name) type = &k;
  }
  if (type == nullptr) return "has an unknown dtype";
  t.type = type->type;
  if (!entry.shape) return "has a bad shape";
  std::uint64_t elements = 1;
  for (const std::uint64_t n : *entry.shape) {
    if (n > (std::uint64_t{1} << 40U) || (n != 0 && elements > (std::uint64_t{1} << 44U) / n)) {
      return "has a bad shape";
    }
    elements *= n;
    t.shape.push_back(static_cast<std::int64_t>(n));
  }
  if (!entry.data_offsets || entry.data_offsets->size() != 2) return "has bad data_offsets";
  const std::uint64_t from = entry.data_offsets->front();
  const std::uint64_t to = entry.data_offsets->back();
  if (from > to || to > data.size()) return "lies outside the file: it is truncated";
  if (to - from != elements * type->bytes) return "has a size that does not fit its shape";
  t.data = data.subspan(from, to - from);
  return {};
}

}  // namespace

std::size_t bytes_of(TensorType type) {
  for (const TypeName& k : kTypes) {
    if (k.type == type) return k.bytes;
  }
  return 0;
}

std::string_view to_string(TensorType type) {
  for (const TypeName& k : kTypes) {
    if (k.type == type) return k.name;
  }
  return "?";
}

std::string_view dtype_name(const Tensor& tensor) {
  return tensor.type == TensorType::kBlocks ? ops::to_string(tensor.blocks)
                                            : to_string(tensor.type);
}

bool is_plain_name(std::string_view name) {
  constexpr std::size_t kLongest = 512;
  return name.size() <= kLongest &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

Result<void> Safetensors::add(const std::filesystem::path& file) {
  AMBIT_TRY(mapped, MappedFile::open(file));
  const auto bytes = mapped.bytes();
  std::uint64_t length = 0;
  if (bytes.size() < sizeof(length)) return corrupt(file, "the file is too short");
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > kLongestHeader || length > bytes.size() - sizeof(length)) {
    return corrupt(file, "the header is longer than the file");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(length), length);
  const auto data = bytes.subspan(sizeof(length) + length);
  const std::string problem =
      read_header(text, [&](const std::string& name, const HeaderEntry& entry) -> std::string {
        if (!is_plain_name(name)) return "a tensor has a name that is not plain text";
        Tensor tensor;
        const std::string_view why = read_entry(entry, data, tensor);
        if (!why.empty()) return "tensor " + name + " " + std::string(why);
        bytes_ += tensor.data.size();
        if (!tensors_.emplace(name, std::move(tensor)).second) {
          return "tensor " + name + " is in the checkpoint twice";
        }
        if (tensors_.size() > kMostTensors) return "it has more tensors than any model has";
        return {};
      });
  if (!problem.empty()) return corrupt(file, problem);
  files_.push_back(std::move(mapped));
  return {};
}

Result<Safetensors> Safetensors::open(const std::filesystem::path& path) {
  Safetensors s;
  std::error_code ec;
  if (!std::filesystem::is_directory(path, ec)) {
    AMBIT_CHECK_OK(s.add(path));
    return s;
  }
  const auto single = path / "model.safetensors";
  if (std::filesystem::exists(single, ec)) {
    AMBIT_CHECK_OK(s.add(single));
    return s;
  }
  const auto index = path / "model.safetensors.index.json";
  if (!std::filesystem::exists(index, ec)) {
    return make_error(Code::kNotFound, path.string() +
                                           " holds no model.safetensors and no index; "
                                           "give a checkpoint directory or file");
  }
  AMBIT_TRY(text, read_file(index, kLongestHeader));
  std::set<std::string> shards;
  std::vector<std::string> names;
  const std::string problem =
      read_index(text, [&](const std::string& name, const std::string& shard) -> std::string {
        if (!is_plain_name(name)) return "a tensor has a name that is not plain text";
        if (shard.find('/') != std::string::npos || shard.find("..") != std::string::npos) {
          return "a shard lies outside the directory";
        }
        names.push_back(name);
        if (names.size() > kMostTensors) return "it has more tensors than any model has";
        shards.insert(shard);
        return {};
      });
  if (!problem.empty()) return corrupt(index, problem);
  for (const std::string& shard : shards) AMBIT_CHECK_OK(s.add(path / shard));
  for (const std::string& name : names) {
    if (s.find(name) == nullptr) return corrupt(index, "tensor " + name + " is in no shard");
  }
  return s;
}

const Tensor* Safetensors::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

}  // namespace ambit::inference
