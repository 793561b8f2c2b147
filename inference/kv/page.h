// A page: the state of kPageTokens consecutive tokens of one timeline, shared by every sequence
// that has the same tokens from the start. A page that more than one owner holds is never written;
// KvCache copies it first.
// Threads: pages belong to the model thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "inference/kv/state_shape.h"
#include "inference/request.h"

namespace ambit::inference {

// 64-byte aligned floats, not initialised.
class FloatBuffer {
 public:
  FloatBuffer() = default;
  explicit FloatBuffer(std::size_t n);
  [[nodiscard]] float* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  explicit operator bool() const { return data_ != nullptr; }
  void reset() {
    data_.reset();
    size_ = 0;
  }

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::unique_ptr<float, Free> data_;
  std::size_t size_ = 0;
};

struct Page {
  std::array<TokenId, kPageTokens> ids{};
  std::int32_t filled = 0;  // tokens whose state is here, from the front
  FloatBuffer rows;
  FloatBuffer window;
  FloatBuffer raw;
  FloatBuffer edge;  // set when the page is full

  [[nodiscard]] std::uint64_t bytes() const {
    return sizeof(Page) + 4 * (rows.size() + window.size() + raw.size() + edge.size());
  }
};
using PagePtr = std::shared_ptr<Page>;

// Makes pages of one shape.
class PageMaker {
 public:
  explicit PageMaker(StateShape shape) : shape_(std::move(shape)) {}
  [[nodiscard]] const StateShape& shape() const { return shape_; }
  // A page with all parts, nothing filled.
  [[nodiscard]] PagePtr make() const;
  // A writable copy of the first `filled` tokens of a page that has all parts.
  [[nodiscard]] PagePtr copy(const Page& from, std::int32_t filled) const;
  // Copies what a continuation at the end of a full page needs from `raw` to `edge`.
  void save_edge(Page& page) const;

 private:
  StateShape shape_;
};

}  // namespace ambit::inference
