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

// The parts of a page (struct Page below).
enum class StatePart : std::uint8_t { kRows, kWindow, kRaw, kEdge };
inline constexpr std::size_t kStateParts = 4;

// Where the state lies. The default is this process's memory; devices keep it in their own, which
// the host cannot read: there, pages go through copy() and PageMaker::to_host alone, and the
// address of a part is a name that the memory alone understands.
class StateMemory {
 public:
  StateMemory() = default;
  StateMemory(const StateMemory&) = delete;
  StateMemory& operator=(const StateMemory&) = delete;
  virtual ~StateMemory() = default;
  // 64-byte aligned, not initialised. Throws std::bad_alloc.
  [[nodiscard]] virtual void* allocate(std::size_t bytes, StatePart part) = 0;
  virtual void release(void* p, std::size_t bytes) = 0;
  // Inside this memory, from it to the host's, and back; in the order of the calls and of the
  // model's steps. The host's side is done with when they return. copy: from byte from_at of a part
  // to byte to_at of another; what it copies belongs to one layer, or is a whole part.
  virtual void copy(void* to, std::size_t to_at, const void* from, std::size_t from_at,
                    std::size_t bytes) = 0;
  virtual void read(void* host, const void* from, std::size_t bytes) = 0;
  virtual void write(void* to, const void* host, std::size_t bytes) = 0;
  [[nodiscard]] virtual bool is_host() const = 0;
};
[[nodiscard]] StateMemory& host_memory();

// 64-byte aligned, not initialised.
template <class T>
class StateBuffer {
 public:
  StateBuffer() = default;
  explicit StateBuffer(std::size_t n, StateMemory& memory = host_memory(),
                       StatePart part = StatePart::kRows)
      : data_(static_cast<T*>(memory.allocate(n * sizeof(T), part)),
              Release{&memory, n * sizeof(T)}),
        size_(n) {}
  [[nodiscard]] T* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const { return size_ * sizeof(T); }
  explicit operator bool() const { return data_ != nullptr; }
  void reset() {
    data_.reset();
    size_ = 0;
  }

 private:
  struct Release {
    StateMemory* memory = nullptr;
    std::size_t bytes = 0;
    void operator()(T* p) const { memory->release(p, bytes); }
  };
  std::unique_ptr<T, Release> data_;
  std::size_t size_ = 0;
};
using FloatBuffer = StateBuffer<float>;
using ByteBuffer = StateBuffer<std::uint8_t>;

struct Page {
  std::array<TokenId, kPageTokens> ids{};
  std::int32_t filled = 0;  // tokens whose state is here, from the front
  ByteBuffer rows;
  FloatBuffer window;
  FloatBuffer raw;
  FloatBuffer edge;       // set when the page is full
  ByteBuffer checkpoint;  // window and edge, packed, instead of them

  // Whether a sequence can go on from the page's end, given the windows of the pages before.
  [[nodiscard]] bool has_window() const { return window || checkpoint; }
  [[nodiscard]] bool has_edge() const { return edge || checkpoint; }
  // Keeps the rows alone.
  void strip() {
    window.reset();
    raw.reset();
    edge.reset();
    checkpoint.reset();
  }
  [[nodiscard]] std::uint64_t bytes() const {
    return sizeof(Page) + rows.bytes() + window.bytes() + raw.bytes() + edge.bytes() +
           checkpoint.bytes();
  }
};
using PagePtr = std::shared_ptr<Page>;

// Makes pages of one shape.
class PageMaker {
 public:
  // memory must outlive every page.
  explicit PageMaker(StateShape shape, StateMemory& memory = host_memory())
      : shape_(std::move(shape)), host_shape_(shape_.packed_form()), memory_(&memory) {}
  [[nodiscard]] const StateShape& shape() const { return shape_; }
  // Of pages in this process's memory: those of to_host() and on disk.
  [[nodiscard]] const StateShape& host_shape() const { return host_shape_; }
  // A page with all parts, nothing filled.
  [[nodiscard]] PagePtr make() const;
  // A writable copy of the first `filled` tokens of a page that has all parts.
  [[nodiscard]] PagePtr copy(const Page& from, std::int32_t filled) const;
  // Copies what a continuation at the end of a full page needs from `raw` to `edge`.
  void save_edge(Page& page) const;
  // Between the two forms of a full page: cool() packs window and edge and drops the raw part,
  // thaw() unpacks them. Neither does anything to a page that is in that form already. A device
  // packs nothing: there cool() drops the raw part.
  void cool(Page& page) const;
  void thaw(Page& page) const;
  [[nodiscard]] bool on_host() const { return memory_->is_host(); }
  // A copy of all parts but the raw one, in this process's memory and host_shape(), and back.
  [[nodiscard]] PagePtr to_host(const Page& page) const;
  [[nodiscard]] PagePtr from_host(const Page& page) const;

 private:
  StateShape shape_;
  StateShape host_shape_;
  StateMemory* memory_;
};

}  // namespace ambit::inference
