#include "inference/weights/gguf_writer.h"

#include <fstream>

namespace ambit::inference {
namespace {

constexpr std::uint64_t kAlignment = 32;

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void put_text(std::string& out, std::string_view text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

std::uint64_t bytes_of(const GgufTensor& t) {
  std::uint64_t n = 1;
  for (const std::int64_t d : t.shape) n *= static_cast<std::uint64_t>(d);
  switch (t.type) {
    case GgufType::kF16:
    case GgufType::kBf16:
      return 2 * n;
    case GgufType::kMxfp4:
      return n / 32 * 17;
    default:
      return 4 * n;
  }
}

std::uint64_t padded(std::uint64_t n) {
  return (n + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

void GgufWriter::begin(std::string_view key, std::uint32_t type) {
  put_text(metadata_, key);
  put(metadata_, type);
  ++keys_;
}
void GgufWriter::number(std::string_view key, std::uint32_t value) {
  begin(key, 4);
  put(metadata_, value);
}
void GgufWriter::real(std::string_view key, float value) {
  begin(key, 6);
  put(metadata_, value);
}
void GgufWriter::boolean(std::string_view key, bool value) {
  begin(key, 7);
  put<std::uint8_t>(metadata_, value ? 1 : 0);
}
void GgufWriter::text(std::string_view key, std::string_view value) {
  begin(key, 8);
  put_text(metadata_, value);
}
void GgufWriter::texts(std::string_view key, const std::vector<std::string>& values) {
  begin(key, 9);
  put<std::uint32_t>(metadata_, 8);
  put<std::uint64_t>(metadata_, values.size());
  for (const std::string& v : values) put_text(metadata_, v);
}
void GgufWriter::numbers(std::string_view key, const std::vector<std::int32_t>& values) {
  begin(key, 9);
  put<std::uint32_t>(metadata_, 5);
  put<std::uint64_t>(metadata_, values.size());
  for (const std::int32_t v : values) put(metadata_, v);
}
void GgufWriter::reals(std::string_view key, const std::vector<float>& values) {
  begin(key, 9);
  put<std::uint32_t>(metadata_, 6);
  put<std::uint64_t>(metadata_, values.size());
  for (const float v : values) put(metadata_, v);
}

Result<std::uint64_t> GgufWriter::write(const std::filesystem::path& path) const {
  std::string head = "GGUF";
  put<std::uint32_t>(head, 3);
  put<std::uint64_t>(head, tensors_.size());
  put(head, keys_);
  head += metadata_;
  std::uint64_t offset = 0;
  for (const GgufTensor& t : tensors_) {
    put_text(head, t.name);
    put(head, static_cast<std::uint32_t>(t.shape.size()));
    for (auto d = t.shape.rbegin(); d != t.shape.rend(); ++d)
      put(head, static_cast<std::uint64_t>(*d));
    put(head, static_cast<std::uint32_t>(t.type));
    put(head, offset);
    offset += padded(bytes_of(t));
  }
  head.resize(padded(head.size()));
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << head;
  for (const GgufTensor& t : tensors_) {
    std::uint64_t written = 0;
    for (const auto& part : t.parts) {
      AMBIT_TRY(data, part());
      out.write(data.data(), static_cast<std::streamsize>(data.size()));
      written += data.size();
    }
    if (written != bytes_of(t)) {
      return make_error(Code::kCorrupt, "tensor " + t.name + " is not of the size of its shape");
    }
    out << std::string(padded(written) - written, '\0');
  }
  out.close();
  if (!out) {
    return make_error(Code::kIo, "cannot write " + path.string() + ": is the disk full?");
  }
  return head.size() + offset;
}

}  // namespace ambit::inference
