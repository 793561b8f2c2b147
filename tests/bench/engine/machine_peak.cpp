// What this machine can do at most, by plain loops: machine_peak [THREADS]. Prints JSON:
//   read_gbs      GB/s of memory beyond the caches, read once by all threads
//   multiply_gops 1e9 fp32 multiply-adds a second, all threads, operands in registers
// side_by_side.py runs it between the engines and states their rates as shares of it.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include <hwy/aligned_allocator.h>

#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/engine/machine_peak.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The sum of n floats, n a multiple of 1024.
float read(const float* x, std::size_t n) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  auto a = hn::Zero(d), b = a, c = a, e = a;
  for (std::size_t i = 0; i < n; i += 4 * lanes) {
    a = hn::Add(a, hn::Load(d, x + i));
    b = hn::Add(b, hn::Load(d, x + i + lanes));
    c = hn::Add(c, hn::Load(d, x + i + 2 * lanes));
    e = hn::Add(e, hn::Load(d, x + i + 3 * lanes));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
}

// Ten chains of multiply-adds, enough for the latency of two units, each a variable of its own so
// that all stay in registers; returns how many in all. `keep` sees the result.
std::uint64_t multiply(std::uint64_t turns, float* keep) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, *keep);
  // Different values, or the compiler makes one chain of them.
  auto a = hn::Set(d, 0.0F), b = hn::Set(d, 1.0F), c = hn::Set(d, 2.0F), e = hn::Set(d, 3.0F),
       f = hn::Set(d, 4.0F), g = hn::Set(d, 5.0F), h = hn::Set(d, 6.0F), i = hn::Set(d, 7.0F),
       j = hn::Set(d, 8.0F), k = hn::Set(d, 9.0F);
  for (std::uint64_t t = 0; t < turns; ++t) {
    a = hn::MulAdd(a, factor, factor);
    b = hn::MulAdd(b, factor, factor);
    c = hn::MulAdd(c, factor, factor);
    e = hn::MulAdd(e, factor, factor);
    f = hn::MulAdd(f, factor, factor);
    g = hn::MulAdd(g, factor, factor);
    h = hn::MulAdd(h, factor, factor);
    i = hn::MulAdd(i, factor, factor);
    j = hn::MulAdd(j, factor, factor);
    k = hn::MulAdd(k, factor, factor);
  }
  const auto left = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), f);
  const auto right = hn::Add(hn::Add(hn::Add(g, h), hn::Add(i, j)), k);
  *keep = hn::GetLane(hn::Add(left, right));
  return turns * 10 * hn::Lanes(d);
}

}  // namespace bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bench {
HWY_EXPORT(read);
HWY_EXPORT(multiply);

float read_all(const float* x, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(read)(x, n);
}
std::uint64_t multiply_all(std::uint64_t turns, float* keep) {
  return HWY_DYNAMIC_DISPATCH(multiply)(turns, keep);
}

// Runs f(thread) on all threads at once; the fewest seconds of some rounds, without starting them.
double seconds(unsigned threads, const std::function<void(unsigned)>& f) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    std::atomic<unsigned> ready = 0;
    std::atomic<bool> go = false;
    std::vector<std::thread> team;
    for (unsigned t = 0; t < threads; ++t) {
      team.emplace_back([&, t] {
        ++ready;
        while (!go) {
        }
        f(t);
      });
    }
    while (ready != threads) std::this_thread::yield();
    const auto start = std::chrono::steady_clock::now();
    go = true;
    for (std::thread& t : team) t.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

}  // namespace bench

int main(int argc, char** argv) {
  const unsigned threads = argc > 1 ? static_cast<unsigned>(std::max(1, std::atoi(argv[1])))
                                    : std::thread::hardware_concurrency();
  constexpr std::size_t kFloats = std::size_t{150} << 20U;  // 600 MiB
  const std::size_t share = kFloats / threads / 1024 * 1024;
  hwy::AlignedFreeUniquePtr<float[]> data = hwy::AllocateAligned<float>(share * threads);
  std::fill_n(data.get(), share * threads, 1.0F);
  std::vector<float> kept(threads * 64, 1e-3F);  // a cache line each, and more
  const double read = bench::seconds(
      threads, [&](unsigned t) { kept[t * 64] = bench::read_all(data.get() + t * share, share); });
  constexpr std::uint64_t kTurns = 20'000'000;
  std::vector<std::uint64_t> done(threads * 8);
  const double multiply = bench::seconds(threads, [&](unsigned t) {
    kept[t * 64] = 1e-3F;
    done[t * 8] = bench::multiply_all(kTurns, &kept[t * 64]);
  });
  std::printf("{\"threads\": %u, \"read_gbs\": %.2f, \"multiply_gops\": %.1f}\n", threads,
              static_cast<double>(share * threads * sizeof(float)) / read * 1e-9,
              static_cast<double>(done[0] * threads) / multiply * 1e-9);
  return 0;
}
#endif
