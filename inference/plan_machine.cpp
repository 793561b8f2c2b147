#include "inference/plan_machine.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/support/machine.h"
#include "inference/ops/gemm.h"

namespace ambit::inference {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kCols = 4096;
// 128 MiB of weights: beyond the last-level cache of the machines that this is for.
constexpr std::size_t kRows = 32768;
constexpr std::size_t kPrefillRows = 2048, kTokens = 128;
constexpr int kRounds = 4;

template <class F>
double best_seconds(const F& work) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return std::max(best, 1e-9);
}

}  // namespace

std::uint64_t usable_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  std::uint64_t kib = 0, total = 0;
  while (file >> key >> kib >> unit) {
    if (key != "MemTotal:") continue;
    total = kib << 10;
    break;
  }
  const auto limit = memory_limit();
  return limit == 0 ? total : std::min(total, limit);
}

Machine measure_machine(unsigned threads) {
  Machine out;
  out.memory_bytes = usable_memory();
  ops::ThreadPool pool(threads);
  // Ordinary numbers, so that no slow path of the arithmetic is met.
  const std::vector<std::byte> weights(kRows * kCols, std::byte{0x38});
  const std::vector<std::uint8_t> scales((kRows / 128) * (kCols / 128), 127);
  const std::vector<float> x(kTokens * kCols, 0.5F);
  std::vector<float> y(std::max(kRows, kTokens * kPrefillRows));
  ops::Matrix matrix;
  matrix.type = ops::MatrixType::kFp8Block128;
  matrix.rows = kRows;
  matrix.cols = kCols;
  matrix.data = weights.data();
  matrix.scales = scales.data();
  ops::GemmArgs args;
  args.w = &matrix;
  args.count = kRows;
  args.x = x.data();
  args.x_stride = kCols;
  args.n = 1;
  args.y = y.data();
  args.y_stride = kRows;
  const double read = best_seconds([&] { ops::gemm_cpu(args, pool); });
  out.read_gbs = static_cast<double>(weights.size()) / read / 1e9;
  ops::Matrix packed = matrix;
  const std::vector<std::uint8_t> packed_scales(kRows * kCols / 32, 127);
  packed.type = ops::MatrixType::kFp4Group32;
  packed.scales = packed_scales.data();
  args.w = &packed;
  const double unpacked = best_seconds([&] { ops::gemm_cpu(args, pool); });
  out.fp4_gbs = static_cast<double>(weights.size() / 2 + packed_scales.size()) / unpacked / 1e9;
  args.w = &matrix;
  args.count = args.y_stride = kPrefillRows;
  args.n = kTokens;
  const double multiply = best_seconds([&] { ops::gemm_cpu(args, pool); });
  out.multiply_gops = static_cast<double>(kPrefillRows * kCols * kTokens) / multiply / 1e9;
  return out;
}

std::vector<std::string> graphics_cards() {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", error)) {
    std::ifstream file(entry.path() / "information");
    std::string line;
    while (std::getline(file, line)) {
      if (!line.starts_with("Model:")) continue;
      const auto at = line.find_first_not_of(" \t", 6);
      if (at != std::string::npos) out.push_back(line.substr(at));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace ambit::inference
