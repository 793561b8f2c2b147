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

// Where the state lies. The default is this process's memory; a device keeps it in its own, which
// the host cannot read: there, pages go through copy() and PageMaker::to_host alone.
class StateMemory {
 public:
  StateMemory() = default;
  StateMemory(const StateMemory&) = delete;
  StateMemory& operator=(const StateMemory&) = delete;
  virtual ~StateMemory() = default;
  // 64-byte aligned, not initialised. Throws std::bad_alloc.
  [[nodiscard]] virtual float* allocate(std::size_t n) = 0;
  virtual void release(float* p, std::size_t n) = 0;
  // n floats inside this memory, from it to the host's, and back; in the order of the calls and of
  // the model's steps. The host's side is done with when they return.
  virtual void copy(float* to, const float* from, std::size_t n) = 0;
  virtual void read(float* host, const float* from, std::size_t n) = 0;
  virtual void write(float* to, const float* host, std::size_t n) = 0;
  [[nodiscard]] virtual bool is_host() const = 0;
};
[[nodiscard]] StateMemory& host_memory();

struct ReleaseState {
  StateMemory* memory = nullptr;
  std::size_t n = 0;
  void operator()(float* p) const { memory->release(p, n); }
};

// 64-byte aligned floats, not initialised.
class FloatBuffer {
 public:
  FloatBuffer() = default;
  explicit FloatBuffer(std::size_t n, StateMemory& memory = host_memory());
  [[nodiscard]] float* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  explicit operator bool() const { return data_ != nullptr; }
  void reset() {
    data_.reset();
    size_ = 0;
  }

 private:
  std::unique_ptr<float, ReleaseState> data_;
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
  // memory must outlive every page.
  explicit PageMaker(StateShape shape, StateMemory& memory = host_memory())
      : shape_(std::move(shape)), memory_(&memory) {}
  [[nodiscard]] const StateShape& shape() const { return shape_; }
  // A page with all parts, nothing filled.
  [[nodiscard]] PagePtr make() const;
  // A writable copy of the first `filled` tokens of a page that has all parts.
  [[nodiscard]] PagePtr copy(const Page& from, std::int32_t filled) const;
  // Copies what a continuation at the end of a full page needs from `raw` to `edge`.
  void save_edge(Page& page) const;
  [[nodiscard]] bool on_host() const { return memory_->is_host(); }
  // A copy, in this process's memory or in the maker's own, of all parts but the raw one.
  [[nodiscard]] PagePtr to_host(const Page& page) const;
  [[nodiscard]] PagePtr from_host(const Page& page) const;

 private:
  StateShape shape_;
  StateMemory* memory_;
};

}  // namespace ambit::inference
