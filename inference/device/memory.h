// Device memory of one model: buffers, a step's scratch, and the pages of its state.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "inference/kv/page.h"
#include "inference/ops/cuda/api.h"
#include "inference/scratch_scope.h"

namespace ambit::inference {

// The library's table with the model's stream; remembers the first thing that went wrong.
class Device {
 public:
  explicit Device(const ops::cuda::Api& api) : api_(&api), stream_(api.make_stream()) {
    if (stream_ == nullptr) problem_ = "the CUDA device gives no stream";
  }
  ~Device() { api_->end_stream(stream_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] const ops::cuda::Api& api() const { return *api_; }
  // Something that was not queued through this object went wrong.
  void fail(const char* what) {
    if (problem_.empty()) problem_ = what;
  }

  // The same from a thread of the driver's (api.h, call_host); wait() finds it. what: static.
  void fail_later(const char* what) { later_.store(what); }

  // Queues an op: device.run(api.embed, args, "embed").
  template <class F, class Args>
  void run(F launch, const Args& args, const char* what) {
    note(launch(args, stream_), what);
  }
  void copy(void* to, const void* from, std::size_t bytes);
  void clear(void* to, std::size_t bytes);
  // Events of this stream and others (api.h).
  void record(void* event);
  void await(void* event);
  // A run of ops recorded once and run again (api.h). Null when it cannot be.
  template <class F>
  [[nodiscard]] void* record(const F& queue) {
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
  ops::cuda::Stream stream_;
  std::string problem_;
  std::atomic<const char*> later_ = nullptr;
};

// Owned device memory (or pinned host memory). Throws std::bad_alloc.
class DeviceBuffer {
 public:
  enum class Place : std::uint8_t { kDevice, kHost };
  DeviceBuffer() = default;
  DeviceBuffer(const ops::cuda::Api& api, std::size_t bytes, Place place = Place::kDevice);
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
  explicit DeviceScratch(const ops::cuda::Api& api) : api_(&api) {}
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
  const ops::cuda::Api* api_;
  std::vector<DeviceBuffer> blocks_;
  std::size_t block_ = 0, used_ = 0;
};

// Parts of pages, from slabs of device memory. A part that is given back serves the next of its
// size; the stream's order makes that safe. At most `budget_bytes` are taken from the device.
class DevicePages final : public StateMemory {
 public:
  DevicePages(Device& device, std::uint64_t budget_bytes)
      : device_(&device), budget_(budget_bytes) {}
  void* allocate(std::size_t bytes) override;
  void release(void* p, std::size_t bytes) override;
  void copy(void* to, const void* from, std::size_t bytes) override;
  void read(void* host, const void* from, std::size_t bytes) override;
  void write(void* to, const void* host, std::size_t bytes) override;
  bool is_host() const override { return false; }

 private:
  Device* device_;
  std::uint64_t budget_;
  std::uint64_t taken_ = 0;
  std::vector<DeviceBuffer> slabs_;
  std::map<std::size_t, std::vector<void*>> free_;  // by bytes
};

}  // namespace ambit::inference
