#include "inference/weights/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

namespace ambit::inference {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint64_t kMostTensors = 1 << 20;
constexpr std::uint64_t kMostKeys = 1 << 16;
constexpr std::uint64_t kLongestName = 1 << 16;
constexpr std::uint64_t kLongestText = std::uint64_t{16} << 20U;
constexpr std::uint64_t kLongestArray = std::uint64_t{1} << 24U;
constexpr std::int64_t kMostParts = 1000;

Error corrupt(const std::filesystem::path& file, const std::string& why) {
  return make_error(Code::kCorrupt,
                    file.filename().string() + ": " + why + "; download the file again");
}

// Type numbers of the file's metadata values.
enum class ValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

// Reads forward; after the first read past the end everything is zero and ok() is false.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

  template <class T>
  T number() {
    T v{};
    if (!ok_ || sizeof(T) > left()) {
      ok_ = false;
      return v;
    }
    std::memcpy(&v, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return v;
  }
  std::string_view text(std::uint64_t longest) {
    const auto n = number<std::uint64_t>();
    if (!ok_ || n > longest || n > left()) {
      ok_ = false;
      return {};
    }
    const auto* p = reinterpret_cast<const char*>(bytes_.data()) + at_;
    at_ += n;
    return {p, n};
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

struct Layout {
  std::uint32_t number;  // in the file
  TensorType type;
  ops::BlockFormat blocks = ops::BlockFormat::kQ8_0;
};
using ops::BlockFormat;
constexpr std::array kLayouts = {
    Layout{0, TensorType::kF32},
    Layout{1, TensorType::kF16},
    Layout{2, TensorType::kBlocks, BlockFormat::kQ4_0},
    Layout{3, TensorType::kBlocks, BlockFormat::kQ4_1},
    Layout{6, TensorType::kBlocks, BlockFormat::kQ5_0},
    Layout{7, TensorType::kBlocks, BlockFormat::kQ5_1},
    Layout{8, TensorType::kBlocks, BlockFormat::kQ8_0},
    Layout{10, TensorType::kBlocks, BlockFormat::kQ2K},
    Layout{11, TensorType::kBlocks, BlockFormat::kQ3K},
    Layout{12, TensorType::kBlocks, BlockFormat::kQ4K},
    Layout{13, TensorType::kBlocks, BlockFormat::kQ5K},
    Layout{14, TensorType::kBlocks, BlockFormat::kQ6K},
    Layout{16, TensorType::kBlocks, BlockFormat::kIq2Xxs},
    Layout{20, TensorType::kBlocks, BlockFormat::kIq4Nl},
    Layout{23, TensorType::kBlocks, BlockFormat::kIq4Xs},
    Layout{26, TensorType::kI32},
    Layout{27, TensorType::kI64},
    Layout{30, TensorType::kBf16},
    Layout{39, TensorType::kBlocks, BlockFormat::kMxfp4},
};

// A scalar as int64, double, bool or text; nothing when the type is none of them.
std::optional<GgufValue> scalar(Cursor& c, ValueType type) {
  switch (type) {
    case ValueType::kU8:
      return std::int64_t{c.number<std::uint8_t>()};
    case ValueType::kI8:
      return std::int64_t{c.number<std::int8_t>()};
    case ValueType::kU16:
      return std::int64_t{c.number<std::uint16_t>()};
    case ValueType::kI16:
      return std::int64_t{c.number<std::int16_t>()};
    case ValueType::kU32:
      return std::int64_t{c.number<std::uint32_t>()};
    case ValueType::kI32:
      return std::int64_t{c.number<std::int32_t>()};
    case ValueType::kU64: {
      const auto v = c.number<std::uint64_t>();
      constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      return static_cast<std::int64_t>(std::min(v, kMost));
    }
    case ValueType::kI64:
      return c.number<std::int64_t>();
    case ValueType::kF32:
      return static_cast<double>(c.number<float>());
    case ValueType::kF64:
      return c.number<double>();
    case ValueType::kBool:
      return c.number<std::uint8_t>() != 0;
    case ValueType::kString:
      return std::string(c.text(kLongestText));
    case ValueType::kArray:
      break;
  }
  return std::nullopt;
}

std::optional<GgufValue> array(Cursor& c) {
  const auto type = static_cast<ValueType>(c.number<std::uint32_t>());
  const auto n = c.number<std::uint64_t>();
  // Every element takes a byte at least, so a count beyond the file is refused before any memory.
  if (!c.ok() || n > kLongestArray || n > c.left()) return std::nullopt;
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < n && c.ok(); ++i) {
    auto v = scalar(c, type);
    if (!v) return std::nullopt;
    if (auto* text = std::get_if<std::string>(&*v)) {
      texts.push_back(std::move(*text));
    } else if (const auto* real = std::get_if<double>(&*v)) {
      reals.push_back(*real);
    } else if (const auto* integer = std::get_if<std::int64_t>(&*v)) {
      integers.push_back(*integer);
    } else {
      integers.push_back(std::get<bool>(*v) ? 1 : 0);
    }
  }
  if (type == ValueType::kString) return texts;
  if (type == ValueType::kF32 || type == ValueType::kF64) return reals;
  return integers;
}

struct Entry {
  std::string name;
  Tensor tensor;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

Result<Entry> read_entry(const std::filesystem::path& file, Cursor& c) {
  Entry e;
  e.name = c.text(kLongestName);
  if (!is_plain_name(e.name)) return corrupt(file, "a tensor has a name that is not plain text");
  const auto dims = c.number<std::uint32_t>();
  if (!c.ok() || dims == 0 || dims > 4) return corrupt(file, "tensor " + e.name + " has no shape");
  std::uint64_t elements = 1;
  for (std::uint32_t d = 0; d < dims; ++d) {
    const auto n = c.number<std::uint64_t>();
    if (n > (std::uint64_t{1} << 40U) || (n != 0 && elements > (std::uint64_t{1} << 44U) / n)) {
      return corrupt(file, "tensor " + e.name + " has a bad shape");
    }
    elements *= n;
    e.tensor.shape.insert(e.tensor.shape.begin(), static_cast<std::int64_t>(n));
  }
  const auto number = c.number<std::uint32_t>();
  e.offset = c.number<std::uint64_t>();
  if (!c.ok()) return corrupt(file, "the list of tensors is cut off");
  const auto* layout = std::find_if(kLayouts.begin(), kLayouts.end(),
                                    [&](const Layout& l) { return l.number == number; });
  if (layout == kLayouts.end()) {
    return make_error(Code::kUnsupported,
                      "tensor " + e.name + " has ggml type " + std::to_string(number) +
                          ", which Ambit does not read; use a file with Q2_K to Q6_K, Q4_0 to "
                          "Q8_0, IQ4_NL, IQ4_XS, IQ2_XXS, MXFP4, BF16, F16 or F32");
  }
  e.tensor.type = layout->type;
  e.tensor.blocks = layout->blocks;
  if (layout->type == TensorType::kBlocks) {
    const auto shape = ops::block_shape(layout->blocks);
    if (static_cast<std::uint64_t>(e.tensor.shape.back()) % shape.values != 0) {
      return corrupt(file, "tensor " + e.name + " has rows that are not whole blocks");
    }
    e.size = elements / shape.values * shape.bytes;
  } else {
    e.size = elements * bytes_of(layout->type);
  }
  return e;
}

// "…-00001-of-00003.gguf" to the same with another number.
std::optional<std::filesystem::path> part(const std::filesystem::path& path, std::int64_t number,
                                          std::int64_t count) {
  std::array<char, 64> end{};
  const auto suffix = [&](std::int64_t n) {
    std::snprintf(end.data(), end.size(), "-%05lld-of-%05lld.gguf", static_cast<long long>(n),
                  static_cast<long long>(count));
    return std::string(end.data());
  };
  const std::string name = path.filename().string();
  const std::string first = suffix(1);
  if (!name.ends_with(first)) return std::nullopt;
  return path.parent_path() / (name.substr(0, name.size() - first.size()) + suffix(number));
}

}  // namespace

const GgufValue* Gguf::find(std::string_view key) const {
  const auto it = values_.find(key);
  return it == values_.end() ? nullptr : &it->second;
}

Result<void> Gguf::add(const std::filesystem::path& file, bool first) {
  static_assert(std::endian::native == std::endian::little);
  AMBIT_TRY(mapped, MappedFile::open(file));
  const auto bytes = mapped.bytes();
  Cursor c(bytes);
  if (c.number<std::uint32_t>() != kMagic || !c.ok()) return corrupt(file, "this is no GGUF file");
  const auto version = c.number<std::uint32_t>();
  if (version != 2 && version != 3) {
    return make_error(Code::kUnsupported, file.filename().string() + " has GGUF version " +
                                              std::to_string(version) +
                                              "; versions 2 and 3, little-endian, are read");
  }
  const auto tensors = c.number<std::uint64_t>();
  const auto keys = c.number<std::uint64_t>();
  if (!c.ok() || tensors > kMostTensors || keys > kMostKeys) {
    return corrupt(file, "the header is out of range");
  }
  std::int64_t alignment = 32;
  for (std::uint64_t i = 0; i < keys; ++i) {
    const std::string key(c.text(kLongestName));
    if (!is_plain_name(key)) return corrupt(file, "a key of its metadata is not plain text");
    const auto type = static_cast<ValueType>(c.number<std::uint32_t>());
    auto value = type == ValueType::kArray ? array(c) : scalar(c, type);
    if (!c.ok() || !value) return corrupt(file, "metadata " + key + " cannot be read");
    if (key == "general.alignment") {
      const auto* v = std::get_if<std::int64_t>(&*value);
      if (v == nullptr || *v < 1 || *v > (1 << 20)) return corrupt(file, "the alignment is wrong");
      alignment = *v;
    }
    if (first && !values_.emplace(key, std::move(*value)).second) {
      return corrupt(file, "metadata " + key + " is there twice");
    }
  }
  std::vector<Entry> entries;
  for (std::uint64_t i = 0; i < tensors; ++i) {
    AMBIT_TRY(entry, read_entry(file, c));
    entries.push_back(std::move(entry));
  }
  const auto step = static_cast<std::uint64_t>(alignment);
  const std::uint64_t start = (c.at() + step - 1) / step * step;
  if (!entries.empty() && start > bytes.size()) return corrupt(file, "it holds no data");
  for (Entry& e : entries) {
    const std::uint64_t room = bytes.size() - start;
    if (e.offset > room || e.size > room - e.offset) {
      return corrupt(file, "tensor " + e.name + " lies outside the file: it is truncated");
    }
    e.tensor.data = bytes.subspan(start + e.offset, e.size);
    bytes_ += e.size;
    if (!tensors_.emplace(e.name, std::move(e.tensor)).second) {
      return corrupt(file, "tensor " + e.name + " is there twice");
    }
  }
  files_.push_back(std::move(mapped));
  return {};
}

Result<Gguf> Gguf::open(const std::filesystem::path& path) {
  Gguf g;
  AMBIT_CHECK_OK(g.add(path, true));
  const auto* count = g.get<std::int64_t>("split.count");
  if (count == nullptr || *count <= 1) return g;
  if (*count > kMostParts) return corrupt(path, "split.count is out of range");
  for (std::int64_t n = 2; n <= *count; ++n) {
    const auto next = part(path, n, *count);
    if (!next) {
      return make_error(Code::kInvalidArgument, path.filename().string() +
                                                    " is a part of a split file; give the part "
                                                    "whose name has -00001-of-");
    }
    AMBIT_CHECK_OK(g.add(*next, false));
  }
  return g;
}

}  // namespace ambit::inference
