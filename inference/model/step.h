// What every part of the model shares during one step: the rows that are computed (tokens of one or
// several sequences, one row each), where their state lies, scratch memory, threads, numerics.
//
// A step never lets a row's arithmetic depend on which rows it has for company: products are per
// row, sums run in a fixed order, attention walks a list of rows that follows from the position
// alone. This is what makes chunk sizes, batch mates, forks and restores invisible in the logits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "inference/kv/cache.h"
#include "inference/model_config.h"
#include "inference/ops/gemm.h"
#include "inference/ops/table.h"
#include "inference/ops/thread_pool.h"
#include "inference/request.h"
#include "inference/scratch_scope.h"

namespace ambit::inference {

// plain: fp32 on the stored weights. release: with the roundings that the released model was
// trained with (KV rows to FP8, indexer q and k to FP4, the input of every FP8/FP4 product to FP8).
// fast: what serving uses on this machine: the cache roundings of release, products as in plain.
enum class Numerics : std::uint8_t { kPlain, kRelease, kFast };

// Rows [row, row + count) are the tokens at positions start … start + count - 1 of one sequence.
struct Segment {
  KvCache* cache = nullptr;
  std::int64_t start = 0;
  std::size_t count = 0;
  std::size_t row = 0;
  // First position whose state exists: 1 in an MTP block, whose row for the pair (q, q+1) is kept
  // with token q+1 so that a page's state follows from the tokens up to its own end.
  std::int64_t first_position = 0;
  // Every row attends to all rows of the segment (a DSpark block), not only to those before it.
  bool mutual = false;
};

// Bump allocation for one step; memory is kept between steps, so a warm step allocates nothing.
// Floats are not initialised.
class Scratch {
 public:
  template <class T = float>
  [[nodiscard]] T* take(std::size_t n) {
    return static_cast<T*>(take_bytes(n * sizeof(T)));
  }
  void reset();

 private:
  friend class ScratchScope<Scratch>;
  [[nodiscard]] void* take_bytes(std::size_t bytes);
  std::vector<FloatBuffer> blocks_;
  std::size_t block_ = 0;  // in use
  std::size_t used_ = 0;   // floats of it
};

// For tests: called with intermediate results, `rows` rows of `columns` floats.
using Trace = std::function<void(std::string_view name, std::size_t layer, const float* data,
                                 std::size_t rows, std::size_t columns)>;

struct RopeAngles {
  std::vector<float> frequencies;
  float* cos = nullptr;  // [rows, rope_dim / 2] of this step
  float* sin = nullptr;
};

struct StepContext {
  const ModelConfig* config = nullptr;
  ops::OpTable ops{};
  bool reference_products = false;
  ops::ThreadPool* pool = nullptr;
  Numerics numerics = Numerics::kPlain;
  Scratch* scratch = nullptr;
  const Trace* trace = nullptr;

  std::size_t rows = 0;
  std::span<const Segment> segments;
  std::span<const TokenId> ids;  // [rows]
  RopeAngles rope_main;          // layers without a compressor
  RopeAngles rope_compress;      // layers with one

  [[nodiscard]] bool rounds_cache() const { return numerics != Numerics::kPlain; }
  [[nodiscard]] bool rounds_inputs() const { return numerics == Numerics::kRelease; }
  void note(std::string_view name, std::size_t layer, const float* data, std::size_t n,
            std::size_t columns) const {
    if (trace != nullptr && *trace) (*trace)(name, layer, data, n, columns);
  }
};

}  // namespace ambit::inference
