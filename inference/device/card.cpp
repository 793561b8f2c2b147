#include "inference/device/card.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <new>
#include <vector>

#include "inference/device/library.h"
#include "inference/device/memory.h"

namespace ambit::inference {
namespace {

namespace cuda = ops::cuda;

class Measurement {
 public:
  Measurement(const DeviceLibrary& library, const cuda::DeviceInfo& info)
      : info_(info), device_(*library.api, info.card), scratch_(device_) {}

  Result<Card> run() {
    Card card;
    card.name = info_.name;
    card.memory_bytes = info_.free_bytes;
    // A small product first: where that takes long (an emulated card), nothing larger is tried.
    const bool fast = product_seconds(256, 512, 1) < 1e-3;
    const std::size_t rows = fast ? std::size_t{131072} : 256, cols = fast ? 4096 : 512;
    card.read_gbs = static_cast<double>(rows * cols) / product_seconds(rows, cols, 1) / 1e9;
    const std::size_t tokens = fast ? 2048 : 32, square = fast ? std::size_t{4096} : 256;
    card.multiply_gops =
        static_cast<double>(square * cols * tokens) / product_seconds(square, cols, tokens) / 1e9;
    const std::size_t bytes = fast ? std::size_t{256} << 20U : 1 << 20;
    const ScratchScope scope(scratch_);
    const DeviceBuffer host(device_, bytes, DeviceBuffer::Place::kHost);
    auto* to = scratch_.take<std::byte>(bytes);
    card.host_gbs =
        static_cast<double>(bytes) / seconds([&] { device_.copy(to, host.data(), bytes); }) / 1e9;
    if (!device_.problem().empty()) return make_error(Code::kUnavailable, device_.problem());
    return card;
  }

 private:
  // Best of four, after one that is not timed.
  double seconds(const std::function<void()>& queue) {
    using Clock = std::chrono::steady_clock;
    double best = 1e9;
    for (int round = 0; round < 5 && device_.wait(); ++round) {
      const auto start = Clock::now();
      queue();
      if (!device_.wait()) break;
      if (round > 0)
        best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    }
    return std::max(best, 1e-9);
  }

  // Of FP8 weights with rounded x. Ordinary numbers, so that no slow path is met.
  double product_seconds(std::size_t rows, std::size_t cols, std::size_t tokens) {
    const ScratchScope scope(scratch_);
    const auto filled = [&](std::size_t bytes, std::uint8_t value) {
      const std::vector<std::uint8_t> from(bytes, value);
      auto* to = scratch_.take<std::uint8_t>(bytes);
      device_.copy(to, from.data(), bytes);
      (void)device_.wait();
      return to;
    };
    cuda::LinearArgs a;
    a.n_jobs = 1;
    a.n = tokens;
    a.jobs[0].round = true;
    a.jobs[0].w.type = ops::MatrixType::kFp8Block128;
    a.jobs[0].w.rows = rows;
    a.jobs[0].w.cols = cols;
    a.jobs[0].w.data = reinterpret_cast<const std::byte*>(filled(rows * cols, 0x38));
    a.jobs[0].w.scales = filled(((rows + 127) / 128) * ((cols + 127) / 128), 120);
    a.jobs[0].y = scratch_.take(tokens * rows);
    a.x.cols = cols;
    a.x.rounded = reinterpret_cast<std::uint16_t*>(filled(2 * tokens * cols, 0x3C));
    return seconds([&] { device_.run(device_.api().linear, a, "linear"); });
  }

  const cuda::DeviceInfo& info_;
  Device device_;
  DeviceScratch scratch_;
};

}  // namespace

Result<std::vector<Card>> measure_cards() {
  AMBIT_TRY(library, open_device_library());
  std::vector<Card> out;
  try {
    for (const cuda::DeviceInfo& info : library.cards) {
      AMBIT_TRY(card, Measurement(library, info).run());
      out.push_back(std::move(card));
    }
  } catch (const std::bad_alloc&) {
    return make_error(Code::kResourceExhausted,
                      "a graphics card has no room for a measurement; end what runs on it");
  }
  return out;
}

}  // namespace ambit::inference
