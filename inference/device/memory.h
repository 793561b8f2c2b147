// Device memory of one model on one card: buffers and a step's scratch.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "inference/ops/cuda/api.h"
#include "inference/scratch_scope.h"

namespace ambit::inference {

// The library's table with one card and the model's stream there; remembers the first thing that
// went wrong.
class Device {
 public:
  Device(const ops::cuda::Api& api, int card) : api_(&api), card_(card) {
    use();
    stream_ = api.make_stream();
    if (stream_ == nullptr) fail("the CUDA device gives no stream");
  }
  ~Device() { api_->end_stream(stream_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] const ops::cuda::Api& api() const { return *api_; }
  [[nodiscard]] int card() const { return card_; }
  // What is made through api() from here on is on this card.
  void use() {
    if (!api_->use(card_)) fail("the CUDA device cannot be chosen");
  }
  // Something that was not queued through this object went wrong.
  void fail(const char* what) {
    if (problem_.empty()) problem_ = what;
  }

  // The same from a thread of the driver's (api.h, call_host); wait() finds it. what: static.
  void fail_later(const char* what) { later_.store(what); }

  // Queues an op: device.run(api.embed, args, "embed").
  template <class F, class Args>
  void run(F launch, const Args& args, const char* what) {
    use();
    note(launch(args, stream_), what);
  }
  void copy(void* to, const void* from, std::size_t bytes);
  // To another card's memory, which this one is linked with (api.h).
  void copy_to(int card, void* to, const void* from, std::size_t bytes);
  void clear(void* to, std::size_t bytes);
  // Events of this stream and others (api.h).
  void record(void* event);
  void await(void* event);
  // A run of ops recorded once and run again (api.h). Null when it cannot be.
  template <class F>
  [[nodiscard]] void* record(const F& queue) {
    use();
    if (!api_->begin_graph(stream_)) return nullptr;
    queue();
    return api_->end_graph(stream_);
  }
  void replay(void* graph);
  // Waits for what is queued; false after the first error, whenever it was.
  [[nodiscard]] bool wait();
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void note(ops::cuda::LaunchError error, const char* what);
  const ops::cuda::Api* api_;
  int card_;
  ops::cuda::Stream stream_ = nullptr;
  std::string problem_;
  std::atomic<const char*> later_ = nullptr;
};

// Owned device memory (or pinned host memory). Throws std::bad_alloc.
class DeviceBuffer {
 public:
  enum class Place : std::uint8_t { kDevice, kHost };
  DeviceBuffer() = default;
  DeviceBuffer(Device& device, std::size_t bytes, Place place = Place::kDevice);
  ~DeviceBuffer();
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  const ops::cuda::Api* api_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  Place place_ = Place::kDevice;
};

// Bump allocation for one step, kept between steps. Reuse within a step is safe: the stream runs in
// order.
class DeviceScratch {
 public:
  explicit DeviceScratch(Device& device) : device_(&device) {}
  template <class T = float>
  [[nodiscard]] T* take(std::size_t n) {
    return reinterpret_cast<T*>(take_bytes(n * sizeof(T)));
  }
  void reset() {
    block_ = 0;
    used_ = 0;
  }

 private:
  friend class ScratchScope<DeviceScratch>;
  [[nodiscard]] std::byte* take_bytes(std::size_t bytes);
  Device* device_;
  std::vector<DeviceBuffer> blocks_;
  std::size_t block_ = 0, used_ = 0;
};

}  // namespace ambit::inference
