// How fast each kernel of libambit_cuda.so is at the shapes of DeepSeek-V4-Flash: achieved bytes
// and operations a second, counted as docs/performance.md counts them. Weights are
// random and successive calls read others, so that neither a cache nor zeros flatter the figures;
// per cent are of what a copy on the same card moves. `bench small` uses tiny shapes, to run this
// program under emulation.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "inference/device/library.h"
#include "inference/device/memory.h"
#include "inference/ops/packed_rows.h"
#include "tests/gpu/model_bench.h"

namespace ambit::inference {
namespace {

namespace cuda = ops::cuda;
using ops::Matrix;
using ops::MatrixType;

struct Shapes {
  std::size_t dim = 4096, heads = 64, head_dim = 512, q_lora = 1024, inner = 2048, experts = 256;
  std::size_t vocab = 129280, context = 131072, prefill = 512;
  int index_heads = 64, index_dim = 128, top = 512;
};

// A call of an op; i counts calls, so that successive ones can read different memory.
using Call = std::function<void(int i)>;

class Bench {
 public:
  Bench(const DeviceLibrary& library, const Shapes& shapes, double budget_ms)
      : device_(*library.api, library.cards[0].card),
        scratch_(device_),
        s_(shapes),
        budget_ms_(budget_ms) {
    // Codes of FP8, pairs of FP4, and as BF16 or fp32 numbers between 1e-14 and 1e4: nothing here
    // is zero, since a card computes zeros with less power, hence faster.
    std::vector<std::uint8_t> codes(budget_ms > 0 ? std::size_t{64} << 20U : 1 << 20);
    unsigned random = 1;
    for (std::uint8_t& c : codes) {
      random = random * 1664525U + 1013904223U;
      c = static_cast<std::uint8_t>((0x28U + (random >> 24U) % 0x20U) | (random >> 16U & 0x80U));
    }
    pool_ = scratch_.take<std::byte>(codes.size());
    pool_bytes_ = codes.size();
    device_.copy(pool_, codes.data(), codes.size());
    (void)device_.wait();
  }

  // bytes and flops: of one call. Calls are timed as steps run them, as a replayed graph.
  void time(const std::string& name, double bytes, double flops, const Call& call) {
    using Time = std::chrono::steady_clock;
    const int calls = budget_ms_ > 0 ? 16 : 1;
    call(0);
    if (!device_.wait()) return;
    void* graph = device_.record([&] {
      for (int i = 0; i < calls; ++i) call(i);
    });
    if (graph == nullptr) return;
    if (budget_ms_ > 0) device_.replay(graph);
    if (!device_.wait()) return;
    double ms = 0;
    int replays = 1;
    for (;; replays *= 4) {
      const auto start = Time::now();
      for (int i = 0; i < replays; ++i) device_.replay(graph);
      if (!device_.wait()) return;
      ms = std::chrono::duration<double, std::milli>(Time::now() - start).count();
      if (ms > budget_ms_ || replays > 1024) break;
    }
    device_.api().release_graph(graph);
    const double each = ms / (replays * calls);
    const double rate = bytes / each * 1e-6;  // GB/s
    std::printf("%-34s %9.1f us %8.1f GB/s %5.1f %% %8.2f TFLOP/s\n", name.c_str(), each * 1e3,
                rate, 100 * rate / ceiling_, flops / each * 1e-9);
    std::fflush(stdout);
  }

  bool run() {
    copies();
    launches();
    std::vector<std::size_t> sizes = {1, 8, s_.prefill, 4 * s_.prefill};
    if (budget_ms_ == 0) sizes = {1, s_.prefill};
    for (const std::size_t n : sizes) {
      linear("wq_b, FP8", MatrixType::kFp8Block128, s_.heads * s_.head_dim, s_.q_lora, n, true);
      linear("wo_b, FP8", MatrixType::kFp8Block128, s_.dim, 2 * s_.dim, n, true);
      linear("compressor, BF16 x fp32", MatrixType::kBf16, 2 * s_.head_dim, s_.dim, n, false);
      linear("wo_a, FP8 x fp32", MatrixType::kFp8Block128, 2 * s_.dim, 8 * s_.head_dim, n, false,
             8);
      experts(n);
      streams(n);
      attention(n);
      index(n);
      if (n <= 8) sample(n);
    }
    linear("head, BF16 x fp32", MatrixType::kBf16, s_.vocab, s_.dim, 1, false);
    if (!device_.problem().empty()) std::printf("stopped: %s\n", device_.problem().c_str());
    return device_.problem().empty();
  }

 private:
  // The ceiling that the table's per cent are of: what a copy reads and writes.
  // Not as a graph: its nodes for copies are slower.
  void copies() {
    const ScratchScope scope(scratch_);
    const std::size_t bytes = budget_ms_ > 0 ? std::size_t{1} << 30U : 1 << 20;
    std::byte* from = filled<std::byte>(bytes);
    auto* to = scratch_.take<std::byte>(bytes);
    using Time = std::chrono::steady_clock;
    double best = 1e9;
    for (int turn = 0; turn < 3; ++turn) {
      if (!device_.wait()) return;
      const auto start = Time::now();
      for (int i = 0; i < 10; ++i) device_.copy(to, from, bytes);
      if (!device_.wait()) return;
      best = std::min(best,
                      std::chrono::duration<double, std::milli>(Time::now() - start).count() / 10);
    }
    ceiling_ = 2 * static_cast<double>(bytes) / best * 1e-6;
    std::printf("%-34s %9.1f us %8.1f GB/s\n", "copy on the card", best * 1e3, ceiling_);
  }

  // What a kernel costs where it does next to nothing.
  void launches() {
    const ScratchScope scope(scratch_);
    cuda::AddArgs a;
    a.x = filled(128);
    a.y = filled(128);
    a.rows = 1;
    a.dim = 128;
    time("add_rows of 128 floats", 0, 0,
         [&](int) { device_.run(device_.api().add_rows, a, "add_rows"); });
  }

  // n values that are not zero.
  template <class T = float>
  T* filled(std::size_t n) {
    T* p = scratch_.take<T>(n);
    const std::size_t bytes = n * sizeof(T);
    for (std::size_t at = 0; at < bytes; at += pool_bytes_) {
      device_.copy(reinterpret_cast<std::byte*>(p) + at, pool_, std::min(pool_bytes_, bytes - at));
    }
    return p;
  }
  // How many copies of `bytes` are no longer in a cache when the first comes again.
  std::size_t sets(std::size_t bytes) const {
    const std::size_t all = budget_ms_ > 0 ? std::size_t{512} << 20U : 0;
    return std::clamp<std::size_t>(all / bytes, 1, 64);
  }
  template <class T = float>
  T* zeros(std::size_t n) {
    T* p = scratch_.take<T>(n);
    device_.clear(p, n * sizeof(T));
    return p;
  }
  template <class T>
  T* upload(const std::vector<T>& v) {
    T* p = scratch_.take<T>(v.size());
    device_.copy(p, v.data(), v.size() * sizeof(T));
    (void)device_.wait();
    return p;
  }
  static std::size_t bytes_of(MatrixType type, std::size_t rows, std::size_t cols) {
    if (type == MatrixType::kFp8Block128) return rows * cols;
    return type == MatrixType::kFp4Group32 ? rows * cols / 2 : rows * cols * 2;
  }
  static std::size_t scales_of(MatrixType type, std::size_t rows, std::size_t cols) {
    if (type == MatrixType::kFp8Block128) return (rows + 127) / 128 * ((cols + 127) / 128);
    return type == MatrixType::kFp4Group32 ? rows * cols / 32 : 0;
  }
  Matrix matrix(MatrixType type, std::size_t rows, std::size_t cols) {
    Matrix m;
    m.type = type;
    m.rows = rows;
    m.cols = cols;
    m.data = filled<std::byte>(bytes_of(type, rows, cols));
    m.scales = scales(scales_of(type, rows, cols));
    return m;
  }
  std::uint8_t* scales(std::size_t n) { return upload(std::vector<std::uint8_t>(n + 1, 120)); }
  cuda::Activation activation(std::size_t rows, std::size_t cols) {
    cuda::Activation a;
    a.cols = cols;
    a.f32 = filled(rows * cols);
    a.plane = rows * cols;
    a.terms = 2;  // as steps with released numerics have them
    a.split = filled<std::uint16_t>(2 * rows * cols);
    a.rounded = filled<std::uint16_t>(rows * cols);
    return a;
  }
  static std::string label(const std::string& name, std::size_t n) {
    return name + ", " + std::to_string(n) + (n == 1 ? " row" : " rows");
  }

  void linear(const std::string& name, MatrixType type, std::size_t rows, std::size_t cols,
              std::size_t n, bool round, int groups = 1) {
    const ScratchScope scope(scratch_);
    cuda::LinearArgs a;
    a.groups = groups;
    std::vector<Matrix> matrices;
    for (std::size_t i = sets(bytes_of(type, rows, cols)); i-- > 0;)
      matrices.push_back(matrix(type, rows, cols));
    a.jobs[0].y = zeros(n * rows);
    a.jobs[0].round = round;
    a.n_jobs = 1;
    const std::size_t wide = cols * static_cast<std::size_t>(groups);
    a.x = activation(n, wide);
    a.n = n;
    const double weights =
        static_cast<double>(bytes_of(type, rows, cols) + scales_of(type, rows, cols));
    const double io = static_cast<double>(n * (wide * (round ? 2 : 4) + rows * 4));
    time(label(name, n), weights + io, 2.0 * static_cast<double>(n * rows * cols), [&](int i) {
      a.jobs[0].w = matrices[static_cast<std::size_t>(i) % matrices.size()];
      device_.run(device_.api().linear, a, "linear");
    });
  }

  // Positions 0, 1, … of one sequence that is `context` long at its end, in pages of their own:
  // compressed rows or keys, then window rows.
  cuda::StepRows rows(std::size_t n, std::size_t row_part, std::size_t window_part) {
    std::vector<std::int64_t> positions(n);
    for (std::size_t i = 0; i < n; ++i)
      positions[i] = static_cast<std::int64_t>(s_.context - n + i);
    const std::size_t page = (row_part + window_part + 255) / 256 * 256;
    std::vector<cuda::PageRef> pages(s_.context / cuda::kPageRows);
    auto* at = filled<std::byte>(pages.size() * page);
    for (cuda::PageRef& p : pages) {
      p.rows = p.raw = p.edge = reinterpret_cast<float*>(at);
      p.window = reinterpret_cast<float*>(at + row_part);
      at += page;
    }
    const std::vector<cuda::SegmentRef> segment = {
        {upload(pages), positions[0], 0, 0, static_cast<std::int32_t>(n)}};
    cuda::StepRows out;
    out.positions = upload(positions);
    out.segment_of = zeros<std::int32_t>(n);
    out.ids = zeros<std::int32_t>(n);
    out.segments = upload(segment);
    out.rows = n;
    return out;
  }

  void experts(std::size_t n) {
    const ScratchScope scope(scratch_);
    const std::size_t k = 6;
    // Several choices of experts, so that not the same weights are read again.
    std::vector<cuda::RouteArgs> routes;
    unsigned random = 1;
    for (std::size_t set = n == 1 ? 16 : 1; set-- > 0;) {
      cuda::RouteArgs& r = routes.emplace_back();
      std::vector<float> logits(n * s_.experts);
      for (float& x : logits)
        x = static_cast<float>((random = random * 1664525U + 1013904223U) >> 16U) * 1e-4F;
      r.logits = upload(logits);
      r.step.rows = n;
      r.experts = static_cast<int>(s_.experts);
      r.k = static_cast<int>(k);
      r.ids = zeros<std::int32_t>(n * k);
      r.weights = zeros(n * k);
      r.out = {zeros<std::int32_t>(s_.experts + 1),
               zeros<std::int32_t>(n * k),
               zeros(n * k),
               zeros<std::int32_t>(n * k),
               zeros<std::int32_t>(s_.experts),
               zeros<std::int32_t>(1)};
      device_.run(device_.api().route, r, "route");
    }
    time(label("route", n), static_cast<double>(4 * n * s_.experts), 0,
         [&](int) { device_.run(device_.api().route, routes[0], "route"); });
    const auto matrices = [&] {
      cuda::ExpertMatrices m;
      m.type = MatrixType::kFp4Group32;
      m.rows = s_.inner;
      m.cols = s_.dim;
      const std::size_t bytes = bytes_of(m.type, m.rows, m.cols),
                        scales = scales_of(m.type, m.rows, m.cols);
      std::vector<const std::byte*> data;
      std::vector<const std::uint8_t*> scale;
      for (std::size_t e = 0; e < s_.experts; ++e) {
        data.push_back(filled<std::byte>(bytes));
        scale.push_back(this->scales(scales));
      }
      m.data = upload(data);
      m.scales = upload(scale);
      return m;
    };
    cuda::ExpertLinearArgs a;
    a.w[0] = matrices();
    a.w[1] = matrices();
    a.n_w = 2;
    a.y[0] = zeros(n * k * s_.inner);
    a.y[1] = zeros(n * k * s_.inner);
    a.round = true;
    a.x = activation(n, s_.dim);
    a.rows = n;
    a.k = k;
    a.experts = s_.experts;
    // Of n rows that each choose k at random.
    const double active =
        static_cast<double>(s_.experts) *
        (1 - std::pow(1 - static_cast<double>(k) / static_cast<double>(s_.experts),
                      static_cast<double>(n)));
    const double one = static_cast<double>(bytes_of(MatrixType::kFp4Group32, s_.inner, s_.dim) +
                                           scales_of(MatrixType::kFp4Group32, s_.inner, s_.dim));
    time(label("experts w1 and w3, FP4", n), 2 * one * active,
         4.0 * static_cast<double>(n * k * s_.inner * s_.dim), [&](int i) {
           a.assignment = routes[static_cast<std::size_t>(i) % routes.size()].out;
           device_.run(device_.api().expert_linear, a, "expert_linear");
         });
  }

  void streams(std::size_t n) {
    const ScratchScope scope(scratch_);
    const std::size_t d = s_.dim;
    cuda::HcMixArgs mix;
    mix.streams = filled(n * 4 * d);
    mix.rows = n;
    mix.dim = d;
    mix.sublayer.f = filled(n * d);
    mix.sublayer.post = zeros(n * 4);
    mix.sublayer.comb = zeros(n * 16);
    mix.fn = filled(24 * 4 * d);
    mix.partial = zeros(n * (d / 128 + 1) * cuda::kMixWidth);
    time(label("hc_mix", n), static_cast<double>(24 * 16 * d + n * 36 * d),
         2.0 * 24 * 4 * static_cast<double>(n * d),
         [&](int) { device_.run(device_.api().hc_mix, mix, "hc_mix"); });
    cuda::HcPreArgs pre;
    pre.streams = mix.streams;
    pre.rows = n;
    pre.dim = d;
    pre.partial = mix.partial;
    pre.base = zeros(24);
    pre.scale = zeros(3);
    pre.hc_eps = pre.norm_eps = 1e-6F;
    pre.post = zeros(n * 4);
    pre.comb = zeros(n * 16);
    pre.weight = zeros(d);
    pre.out = activation(n, d);
    pre.out.f32 = nullptr;
    time(label("hc_pre", n), static_cast<double>(n * d * (16 + 8)), 0,
         [&](int) { device_.run(device_.api().hc_pre, pre, "hc_pre"); });
  }

  void attention(std::size_t n) {
    const ScratchScope scope(scratch_);
    const std::size_t wide = s_.heads * s_.head_dim;
    cuda::AttentionArgs a;
    constexpr std::size_t kRope = 64;
    // As latents() packs them (state_shape.h): 592 bytes in Flash; window rows where floats would
    // be.
    a.row_bytes = (ops::kv_row_bytes(s_.head_dim, kRope) + 15) / 16 * 16;
    a.step = rows(n, cuda::kPageRows / 4 * a.row_bytes, cuda::kPageRows * s_.head_dim * 4);
    a.rows = n;
    a.q = filled(n * wide);
    a.sink = zeros(s_.heads);
    a.heads = static_cast<int>(s_.heads);
    a.dim = static_cast<int>(s_.head_dim);
    a.window = 128;
    a.ratio = 4;
    a.top = s_.top;
    // Rows all over the context.
    std::vector<std::int32_t> chosen(n * static_cast<std::size_t>(s_.top));
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const std::size_t each = s_.context / 4 / static_cast<std::size_t>(s_.top);
      chosen[i] = static_cast<std::int32_t>(i % static_cast<std::size_t>(s_.top) * each);
    }
    a.selected = upload(chosen);
    const auto list = static_cast<std::size_t>(128 + s_.top);
    a.rounded = true;
    a.most = (list + cuda::kScoreRun - 1) / cuda::kScoreRun * cuda::kScoreRun;
    const std::size_t piece = n < 512 ? n : 512;
    a.scores = zeros(piece * cuda::score_heads(a.heads) * a.most);
    a.rope = {zeros(n * 32), zeros(n * 32), 32};
    a.out = activation(n, wide);
    a.out.f32 = nullptr;
    time(label("attention over 640 rows", n), static_cast<double>(n * list * a.row_bytes),
         4.0 * static_cast<double>(n * list * wide), [&](int) {
           for (a.first = 0; a.first < n; a.first += piece) {
             a.rows = piece < n - a.first ? piece : n - a.first;
             device_.run(device_.api().attention, a, "attention");
           }
         });
  }

  void index(std::size_t n) {
    const ScratchScope scope(scratch_);
    n = std::min<std::size_t>(n, 64);
    cuda::IndexArgs a;
    const std::size_t block = ops::key_block_bytes(static_cast<std::size_t>(s_.index_dim));
    a.step = rows(n, block, 0);
    a.rows = n;
    a.q = filled(n * static_cast<std::size_t>(s_.index_heads * s_.index_dim));
    a.weights = filled(n * static_cast<std::size_t>(s_.index_heads));
    a.heads = s_.index_heads;
    a.dim = s_.index_dim;
    a.ratio = 4;
    a.top = s_.top;
    a.rounded = true;
    a.most = s_.context / 4;
    a.scores = zeros(n * a.most);
    a.selected = zeros<std::int32_t>(n * static_cast<std::size_t>(s_.top));
    const double keys = static_cast<double>(n * a.most * static_cast<std::size_t>(s_.index_dim));
    const double packed = static_cast<double>(n * a.most * block) / ops::kKeyBlock;
    time(label("index_scores", n), packed, 2 * keys * s_.index_heads,
         [&](int) { device_.run(device_.api().index_scores, a, "index_scores"); });
    time(label("top_k", n), static_cast<double>(n * a.most * 4), 0,
         [&](int) { device_.run(device_.api().top_k, a, "top_k"); });
  }

  // The choice of n tokens; other logits in each call.
  void sample(std::size_t n) {
    const ScratchScope scope(scratch_);
    const std::size_t count = sets(n * s_.vocab * sizeof(float));
    std::vector<float> logits(count * n * s_.vocab);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      logits[i] = static_cast<float>(ops::random_at(1, i) >> 40U) * 0x1p-20F;  // to 16
    }
    const auto mask = upload(std::vector<std::uint32_t>(ops::mask_words(s_.vocab), 0x77777777U));
    cuda::SampleArgs a;
    const float* const from = upload(logits);
    a.n = n;
    a.vocab = s_.vocab;
    a.masks = mask;
    a.out = scratch_.take<ops::Sampled>(n);
    const auto one = [&](const char* name, const ops::SampleRow& row) {
      a.rows = upload(std::vector<ops::SampleRow>(n, row));
      time(label(name, n), static_cast<double>(n * s_.vocab * 4), 0, [&](int i) {
        a.logits = from + static_cast<std::size_t>(i) % count * n * s_.vocab;
        device_.run(device_.api().sample, a, "sample");
      });
    };
    one("sample, greedy", {});
    one("sample, greedy, masked", {.mask = 0});
    one("sample", {.temperature = 1, .random = ops::random_at(2, 0)});
    one("sample, top-p 0.95", {.temperature = 1, .top_p = 0.95F, .random = ops::random_at(2, 1)});
  }

  Device device_;
  DeviceScratch scratch_;
  Shapes s_;
  double budget_ms_;
  std::byte* pool_ = nullptr;
  std::size_t pool_bytes_ = 0;
  double ceiling_ = 0;
};

}  // namespace
}  // namespace ambit::inference

int main(int argc, char** argv) {
  using namespace ambit::inference;
  const auto library = open_device_library();
  if (!library) {
    std::fprintf(stderr, "%s\n", library.error().message.c_str());
    return 3;
  }
  Shapes shapes;
  double budget_ms = 50;
  if (argc > 1 && std::strcmp(argv[1], "small") == 0) {
    shapes = {.dim = 128,
              .heads = 2,
              .head_dim = 128,
              .q_lora = 64,
              .inner = 128,
              .experts = 8,
              .vocab = 64,
              .context = 256,
              .prefill = 32,
              .index_heads = 16,
              .index_dim = 32,
              .top = 16};
    budget_ms = 0;
  }
  if (argc > 2 && std::strcmp(argv[1], "model") == 0) {
    return model_bench(argc - 2, argv + 2);
  }
  std::printf("%s, compute capability %d.%d, %d multiprocessors\n", library->cards[0].name,
              library->cards[0].major, library->cards[0].minor, library->cards[0].multiprocessors);
  return Bench(*library, shapes, budget_ms).run() ? 0 : 1;
}
