// Bounded little-endian reader and writer for bytes from disk or from a peer. A reader never reads
// past its end: the first failure sticks, later reads give zeros, and ok() tells once at the end.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ambit {

static_assert(std::endian::native == std::endian::little, "Ambit's formats are little-endian");

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> data) : data_(data) {}
  explicit ByteReader(std::string_view data)
      : data_(reinterpret_cast<const std::byte*>(data.data()), data.size()) {}

  template <class T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] T read() {
    T value{};
    auto b = bytes(sizeof(T));
    if (b.size() == sizeof(T)) std::memcpy(&value, b.data(), sizeof(T));
    return value;
  }

  // LEB128, at most 10 bytes.
  [[nodiscard]] std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto b = read<std::uint8_t>();
      if (!ok_) return 0;
      value |= static_cast<std::uint64_t>(b & 0x7F) << shift;
      if ((b & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }

  // A view into the input: it dies with it. Empty when fewer than n bytes are left.
  [[nodiscard]] std::span<const std::byte> bytes(std::size_t n) {
    if (!ok_ || n > data_.size() - pos_) {
      ok_ = false;
      return {};
    }
    auto s = data_.subspan(pos_, n);
    pos_ += n;
    return s;
  }

  // A length (varint) and that many bytes.
  [[nodiscard]] std::string_view string() {
    const auto n = varint();
    if (n > remaining()) {
      ok_ = false;
      return {};
    }
    auto b = bytes(static_cast<std::size_t>(n));
    return {reinterpret_cast<const char*>(b.data()), b.size()};
  }

  void fail() { ok_ = false; }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t position() const { return pos_; }
  [[nodiscard]] std::size_t remaining() const { return ok_ ? data_.size() - pos_ : 0; }

 private:
  std::span<const std::byte> data_;
  std::size_t pos_ = 0;
  bool ok_ = true;
};

class ByteWriter {
 public:
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void write(const T& value) {
    const auto* p = reinterpret_cast<const char*>(&value);
    out_.append(p, sizeof(T));
  }
  void varint(std::uint64_t v) {
    while (v >= 0x80) {
      out_.push_back(static_cast<char>(v | 0x80));
      v >>= 7;
    }
    out_.push_back(static_cast<char>(v));
  }
  void string(std::string_view s) {
    varint(s.size());
    out_.append(s);
  }
  void raw(std::string_view s) { out_.append(s); }
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] std::string& data() { return out_; }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace ambit
