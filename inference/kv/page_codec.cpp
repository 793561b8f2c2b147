#include "inference/kv/page_codec.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "inference/ops/quantize.h"

namespace ambit::inference {
namespace {

using std::size_t;

float largest_magnitude(const float* x, size_t n) {
  float largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  return largest;
}

// The two directions share one description of a page's rows: for_rows calls kv(row) for every KV
// row and index(column, stride) for every index key of the `rows` part, which is transposed.
template <class Kv, class Index>
void for_rows(const StateShape& s, float* rows, Kv kv, Index index) {
  for (const LayerShape& l : s.layers) {
    if (l.ratio == 0) continue;
    const size_t blocks = static_cast<size_t>(kPageTokens / l.ratio);
    for (size_t b = 0; b < blocks; ++b) kv(rows + l.rows_at + b * s.head_dim);
    if (l.index_width == 0) continue;
    for (size_t b = 0; b < blocks; ++b) index(rows + l.index_at + b, blocks);
  }
}

class Encoder {
 public:
  explicit Encoder(const StateShape& s) : s_(s) {}
  void kv(const float* x) {
    if (!s_.rounded) return floats(x, s_.head_dim);
    const size_t flat = s_.head_dim - s_.rope;
    for (size_t at = 0; at < flat; at += 64) {
      const size_t n = std::min<size_t>(64, flat - at);
      const std::uint8_t scale = ops::fp8_scale(largest_magnitude(x + at, n));
      const float inverse = 1.0F / ops::e8m0_value(scale);
      byte(scale);
      for (size_t i = at; i < at + n; ++i) byte(ops::e4m3_code(x[i] * inverse));
    }
    for (size_t i = flat; i < s_.head_dim; ++i) {
      const auto half = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x[i]) >> 16U);
      out_.append(reinterpret_cast<const char*>(&half), 2);
    }
  }
  void index(const float* column, size_t stride) {
    key_.resize(s_.index_dim);
    for (size_t i = 0; i < s_.index_dim; ++i) key_[i] = column[i * stride];
    const float* x = key_.data();
    if (!s_.rounded) return floats(x, s_.index_dim);
    for (size_t at = 0; at < s_.index_dim; at += 32) {
      const size_t n = std::min<size_t>(32, s_.index_dim - at);
      const std::uint8_t scale = ops::fp4_scale(largest_magnitude(x + at, n));
      const float inverse = 1.0F / ops::e8m0_value(scale);
      byte(scale);
      for (size_t i = at; i < at + n; i += 2) {
        const unsigned low = ops::e2m1_code(x[i] * inverse);
        const unsigned high = i + 1 < at + n ? ops::e2m1_code(x[i + 1] * inverse) : 0U;
        byte(static_cast<std::uint8_t>(low | high << 4U));
      }
    }
  }
  void floats(const float* x, size_t n) { out_.append(reinterpret_cast<const char*>(x), 4 * n); }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  void byte(std::uint8_t b) { out_.push_back(static_cast<char>(b)); }
  const StateShape& s_;
  std::vector<float> key_;
  std::string out_;
};

class Decoder {
 public:
  Decoder(const StateShape& s, std::string_view in) : s_(s), in_(in) {}
  void kv(float* x) {
    if (!s_.rounded) return floats(x, s_.head_dim);
    const size_t flat = s_.head_dim - s_.rope;
    for (size_t at = 0; at < flat; at += 64) {
      const float scale = ops::e8m0_value(byte());
      const size_t n = std::min<size_t>(64, flat - at);
      for (size_t i = at; i < at + n; ++i) x[i] = ops::e4m3_value(byte()) * scale;
    }
    for (size_t i = flat; i < s_.head_dim; ++i) {
      const std::uint32_t low = byte();
      x[i] = std::bit_cast<float>((static_cast<std::uint32_t>(byte()) << 8U | low) << 16U);
    }
  }
  void index(float* column, size_t stride) {
    key_.resize(s_.index_dim);
    read_key(key_.data());
    for (size_t i = 0; i < s_.index_dim; ++i) column[i * stride] = key_[i];
  }
  void read_key(float* x) {
    if (!s_.rounded) return floats(x, s_.index_dim);
    for (size_t at = 0; at < s_.index_dim; at += 32) {
      const float scale = ops::e8m0_value(byte());
      const size_t n = std::min<size_t>(32, s_.index_dim - at);
      for (size_t i = at; i < at + n; i += 2) {
        const std::uint8_t pair = byte();
        x[i] = ops::e2m1_value(pair & 15U) * scale;
        if (i + 1 < at + n) x[i + 1] = ops::e2m1_value(pair >> 4U) * scale;
      }
    }
  }
  void floats(float* x, size_t n) {
    if (in_.size() - at_ < 4 * n) {
      ok_ = false;
      return;
    }
    std::memcpy(x, in_.data() + at_, 4 * n);
    at_ += 4 * n;
  }
  [[nodiscard]] Result<void> end() const {
    if (ok_ && at_ == in_.size()) return {};
    return make_error(Code::kCorrupt, "a stored page does not have the size of this model's pages");
  }

 private:
  std::uint8_t byte() {
    if (at_ >= in_.size()) {
      ok_ = false;
      return 0;
    }
    return static_cast<std::uint8_t>(in_[at_++]);
  }
  const StateShape& s_;
  std::vector<float> key_;
  std::string_view in_;
  size_t at_ = 0;
  bool ok_ = true;
};

template <class Coder>
void window_rows(const StateShape& s, float* window, Coder& coder) {
  const size_t n = s.window_floats / s.head_dim;
  for (size_t r = 0; r < n; ++r) coder.kv(window + r * s.head_dim);
}

}  // namespace

std::string encode_rows(const StateShape& s, const Page& page) {
  Encoder e(s);
  for_rows(
      s, page.rows.data(), [&](float* x) { e.kv(x); }, [&](float* x, size_t n) { e.index(x, n); });
  return e.take();
}

std::string encode_checkpoint(const StateShape& s, const Page& page) {
  Encoder e(s);
  window_rows(s, page.window.data(), e);
  e.floats(page.edge.data(), s.edge_floats);
  return e.take();
}

Result<void> decode_rows(const StateShape& s, std::string_view bytes, Page& page) {
  Decoder d(s, bytes);
  page.rows = FloatBuffer(s.rows_floats);
  for_rows(
      s, page.rows.data(), [&](float* x) { d.kv(x); }, [&](float* x, size_t n) { d.index(x, n); });
  return d.end();
}

Result<void> decode_checkpoint(const StateShape& s, std::string_view bytes, Page& page) {
  Decoder d(s, bytes);
  page.window = FloatBuffer(s.window_floats);
  page.edge = FloatBuffer(s.edge_floats);
  window_rows(s, page.window.data(), d);
  d.floats(page.edge.data(), s.edge_floats);
  return d.end();
}

}  // namespace ambit::inference
