// Streams of the stand-in CUDA runtime. What is queued on a stream runs in order; between streams
// only events keep an order, and a program that forgets one must not get away with it:
// - late, as it comes: nothing runs before somebody must have it, who waits for the stream, for an
//   event behind the work, or frees memory. Who forgets to wait for other streams' work reads old
//   bytes.
// - early: host functions and copies run as soon as what they wait for allows, ahead of other
//   streams' kernels. Who forgets to let them wait has them read old bytes.
// - by chance, for streams made while $AMBIT_EMULATE_STREAMS is set to a number: they advance a few
//   items at a time, as far as events let them, and one of them sleeps now and then until others
//   have gone far ahead; the number is the seed.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <deque>
#include <functional>

namespace emulated {

using Work = std::function<void()>;

struct Recording;  // cudart_streams.cpp

class Stream {
 public:
  explicit Stream(int device);
  // Finishes what is queued anywhere: other streams may wait for this one.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] int device() const { return device_; }
  void add(Work work, bool may_be_early = false);
  // What is added from here on runs after the first `end` items of `other`.
  void wait_for(Stream* other, std::uint64_t end);
  [[nodiscard]] std::uint64_t end() const { return queued_; }
  // Until all that was queued is done.
  void finish();
  static void finish_all();

  Recording* recording = nullptr;  // that it belongs to at the moment

 private:
  struct Item {
    Work work;  // or, when empty:
    Stream* after = nullptr;
    std::uint64_t end = 0;
  };
  void run(std::uint64_t end);
  bool one();  // the next item, unless it waits for what is not done
  static void advance_some();

  int device_;
  bool by_chance_;
  std::deque<Item> items_;
  std::uint64_t queued_ = 0, done_ = 0;
};

// early: else late. waits_lost: streams do not wait for events, which a test of who waits must see.
void set_order(bool early, bool waits_lost);

// null: the current device's standard stream (cudart.cpp).
[[nodiscard]] Stream* of(cudaStream_t stream);
[[nodiscard]] int current_device();

// Queues work, or adds it to the recording that the stream belongs to.
void enqueue(Stream& stream, Work work, bool may_be_early = false);

}  // namespace emulated
