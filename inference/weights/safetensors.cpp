#include "inference/weights/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace ambit::inference {
namespace {

using Json = nlohmann::json;

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

// One entry of a header; `data` is what follows the header.
Result<Tensor> read_entry(const std::filesystem::path& file, const std::string& name,
                          const Json& entry, std::span<const std::byte> data) {
  const auto fail = [&](std::string_view why) {
    return corrupt(file, "tensor " + name + " " + std::string(why));
  };
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets")) {
    return fail("lacks dtype, shape or data_offsets");
  }
  Tensor t;
  const Json& dtype = entry["dtype"];
  const TypeName* type = nullptr;
  for (const TypeName& k : kTypes) {
    if (dtype.is_string() && dtype.get_ref<const std::string&>() == k.name) type = &k;
  }
  if (type == nullptr) return fail("has an unknown dtype");
  t.type = type->type;
  const Json& shape = entry["shape"];
  if (!shape.is_array() || shape.size() > 8) return fail("has a bad shape");
  std::uint64_t elements = 1;
  for (const Json& d : shape) {
    if (!d.is_number_unsigned()) return fail("has a bad shape");
    const auto n = d.get<std::uint64_t>();
    if (n > (std::uint64_t{1} << 40U) || (n != 0 && elements > (std::uint64_t{1} << 44U) / n)) {
      return fail("has a bad shape");
    }
    elements *= n;
    t.shape.push_back(static_cast<std::int64_t>(n));
  }
  const Json& offsets = entry["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    return fail("has bad data_offsets");
  }
  const auto from = offsets[0].get<std::uint64_t>();
  const auto to = offsets[1].get<std::uint64_t>();
  if (from > to || to > data.size()) return fail("lies outside the file: it is truncated");
  if (to - from != elements * type->bytes) return fail("has a size that does not fit its shape");
  t.data = data.subspan(from, to - from);
  return t;
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
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof(length);
  const Json header = Json::parse(text, text + length, nullptr, false);
  if (!header.is_object()) return corrupt(file, "the header is not JSON");
  const auto data = bytes.subspan(sizeof(length) + length);
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    if (!is_plain_name(name)) return corrupt(file, "a tensor has a name that is not plain text");
    AMBIT_TRY(tensor, read_entry(file, name, entry, data));
    bytes_ += tensor.data.size();
    if (!tensors_.emplace(name, std::move(tensor)).second) {
      return corrupt(file, "tensor " + name + " is in the checkpoint twice");
    }
  }
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
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return corrupt(index, "there is no weight_map");
  }
  std::set<std::string> shards;
  for (const auto& [name, file] : json["weight_map"].items()) {
    if (!file.is_string() || !is_plain_name(name)) {
      return corrupt(index, "weight_map holds more than names of tensors and files");
    }
    const auto& shard = file.get_ref<const std::string&>();
    if (shard.find('/') != std::string::npos || shard.find("..") != std::string::npos) {
      return corrupt(index, "a shard lies outside the directory");
    }
    shards.insert(shard);
  }
  for (const std::string& shard : shards) AMBIT_CHECK_OK(s.add(path / shard));
  for (const auto& [name, file] : json["weight_map"].items()) {
    if (s.find(name) == nullptr) {
      return corrupt(index, "tensor " + name + " is in no shard");
    }
  }
  return s;
}

const Tensor* Safetensors::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

}  // namespace ambit::inference
