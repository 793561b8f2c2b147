#include "inference/model/attend.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "inference/model/linear.h"
#include "inference/ops/rope.h"
#include "inference/ops/sparse_attention.h"

namespace ambit::inference {
namespace {

// The lists of rows of a segment's tokens: window rows, then compressed rows, each ascending.
class RowLists {
 public:
  // Packed rows are unpacked as fp32 by the worker that asks for them; shared: here, once for all
  // tokens, where every token attends all rows.
  RowLists(const StepContext& step, const Segment& s, std::size_t layer, const Selection& selection,
           bool shared)
      : step_(step), segment_(s), cache_(*s.cache), layer_(layer), selection_(selection) {
    const StateShape& shape = cache_.shape();
    dim_ = shape.head_dim;
    ratio_ = shape.layers[layer].ratio;
    if (ratio_ == 0 || !shape.packed) return;
    packed_ = true;
    if (!shared || selection.ids != nullptr) {
      per_worker_ = step.scratch->take(worker_count(step) * ops::kAttentionRows * dim_);
      return;
    }
    const std::int64_t end = s.start + static_cast<std::int64_t>(s.count);
    const auto n = static_cast<std::size_t>(end / ratio_);
    unpacked_ = step.scratch->take(n * dim_);
    parallel_rows(step, n, [&](std::size_t from, std::size_t to) {
      const std::uint8_t* some[ops::kAttentionRows];
      for (std::size_t c = from; c < to; c += ops::kAttentionRows) {
        const std::size_t few = std::min(ops::kAttentionRows, to - c);
        for (std::size_t k = 0; k < few; ++k) some[k] = row_of(c + k);
        unpack(some, few, unpacked_ + c * dim_);
      }
    });
  }

  // Of token i of the segment.
  [[nodiscard]] std::size_t size(std::size_t i) const {
    return window_size(i) + compressed_size(i);
  }
  [[nodiscard]] std::size_t part_rows(std::size_t i) const {
    return ops::attention_part_rows(size(i));
  }
  [[nodiscard]] std::size_t parts(std::size_t i) const {
    return (size(i) + part_rows(i) - 1) / part_rows(i);
  }
  // Rows [from, to) of the list, at most kAttentionRows.
  void rows(std::size_t i, std::size_t from, std::size_t to, std::size_t worker,
            const float** out) const {
    const std::size_t window = window_size(i);
    const std::int64_t first = window_end(i) - static_cast<std::int64_t>(window);
    for (; from < to && from < window; ++from) {
      *out++ = cache_.window_row(layer_, first + static_cast<std::int64_t>(from));
    }
    const std::uint8_t* stored[ops::kAttentionRows];
    const std::size_t n = to - from;
    for (std::size_t k = 0; k < n; ++k) {
      const std::size_t at = from - window + k;
      const std::size_t c = compressed(i, at);
      stored[k] = row_of(c);
      if (!packed_) out[k] = reinterpret_cast<const float*>(stored[k]);
      if (unpacked_ != nullptr) out[k] = unpacked_ + c * dim_;
    }
    if (!packed_ || unpacked_ != nullptr) return;
    float* mine = per_worker_ + worker * ops::kAttentionRows * dim_;
    unpack(stored, n, mine);
    for (std::size_t k = 0; k < n; ++k) out[k] = mine + k * dim_;
  }
  // Sends for rows [from, to) of the list that lie packed, which is anywhere.
  void fetch(std::size_t i, std::size_t from, std::size_t to) const {
    if (per_worker_ == nullptr) return;
    const std::size_t window = window_size(i);
    to = std::min(to, size(i));
    for (from = std::max(from, window); from < to; ++from) {
      const std::uint8_t* row = row_of(compressed(i, from - window));
      const std::size_t bytes = cache_.shape().row_bytes;
      for (std::size_t b = 0; b < bytes; b += 64) __builtin_prefetch(row + b);
      __builtin_prefetch(row + bytes - 1);
    }
  }

 private:
  [[nodiscard]] std::int64_t position(std::size_t i) const {
    return segment_.start + static_cast<std::int64_t>(i);
  }
  // Behind the last window row.
  [[nodiscard]] std::int64_t window_end(std::size_t i) const {
    return segment_.mutual ? segment_.start + static_cast<std::int64_t>(segment_.count)
                           : position(i) + 1;
  }
  [[nodiscard]] std::size_t window_size(std::size_t i) const {
    const std::int64_t window = cache_.shape().window;
    if (segment_.mutual) {
      return static_cast<std::size_t>(std::min(segment_.start - segment_.first_position, window)) +
             segment_.count;
    }
    return static_cast<std::size_t>(std::min(position(i) + 1 - segment_.first_position, window));
  }
  [[nodiscard]] std::size_t compressed_size(std::size_t i) const {
    if (ratio_ == 0) return 0;
    if (selection_.ids == nullptr) return static_cast<std::size_t>((position(i) + 1) / ratio_);
    return static_cast<std::size_t>(selection_.count[segment_.row + i]);
  }
  // The compressed row at a place of the list behind the window.
  [[nodiscard]] std::size_t compressed(std::size_t i, std::size_t at) const {
    if (selection_.ids == nullptr) return at;
    return static_cast<std::size_t>(selection_.ids[(segment_.row + i) * selection_.stride + at]);
  }
  [[nodiscard]] const std::uint8_t* row_of(std::size_t c) const {
    return cache_.row(layer_, static_cast<std::int64_t>(c));
  }
  void unpack(const std::uint8_t* const* rows, std::size_t n, float* out) const {
    step_.ops.unpack_kv_rows(rows, n, dim_, cache_.shape().rope, out);
  }

  const StepContext& step_;
  const Segment& segment_;
  const KvCache& cache_;
  std::size_t layer_;
  const Selection& selection_;
  std::size_t dim_ = 0;
  std::int64_t ratio_ = 0;
  bool packed_ = false;
  float* unpacked_ = nullptr;
  float* per_worker_ = nullptr;
};

class Attend {
 public:
  Attend(const StepContext& step, const AttentionWeights& w, std::size_t layer,
         const Selection& selection, const RopeAngles& rope, const float* q, float* out)
      : step_(step),
        sink_(w.sink),
        layer_(layer),
        selection_(selection),
        rope_(rope),
        q_(q),
        out_(out),
        heads_(step.config->num_attention_heads),
        dim_(step.config->head_dim),
        scale_(1.0F / std::sqrt(static_cast<float>(dim_))) {}

  // One task is a token.
  void whole_tokens(const Segment& s) {
    const ScratchScope scope(*step_.scratch);
    const RowLists lists(step_, s, layer_, selection_, /*shared=*/true);
    const std::size_t workers = worker_count(step_);
    float* parts = step_.scratch->take(workers * part_floats());
    parallel_workers(step_, s.count, [&](std::size_t i, std::size_t worker) {
      float* part = parts + worker * part_floats();
      std::vector<ops::AttentionFold> folds = start(s.row + i);
      for (std::size_t at = 0; at < lists.parts(i); ++at) {
        compute(lists, s, {i, at, 0, heads_}, worker, part);
        for (std::size_t h = 0; h < heads_; ++h) fold(folds[h], part, h);
      }
      for (std::size_t h = 0; h < heads_; ++h) folds[h].finish();
      rotate_back(s.row + i, 0, heads_);
    });
  }

  // One task is a part of a token's rows: few tokens keep all threads busy.
  void parts_of_tokens(const Segment& s) {
    const std::size_t workers = worker_count(step_);
    for (std::size_t first = 0, count = 0; first < s.count; first += count) {
      const ScratchScope scope(*step_.scratch);
      const RowLists lists(step_, s, layer_, selection_, /*shared=*/false);
      std::size_t most = 0;
      for (std::size_t i = first; i < s.count; ++i) most = std::max(most, lists.parts(i));
      // So many tokens that there is work for all, and no more, for the parts' sake.
      count = std::min(s.count - first, (4 * workers + most - 1) / most);
      float* parts = step_.scratch->take(count * most * part_floats());
      // A worker takes neighbouring parts, so that it has sent for the next one's rows. Where there
      // are fewer parts than threads, some of the heads: each has the rows unpacked again.
      const std::size_t run = std::max<std::size_t>(1, most / (4 * workers));
      const std::size_t runs = (most + run - 1) / run;
      const std::size_t groups =
          std::clamp<std::size_t>(2 * workers / (count * most), 1, (heads_ + 15) / 16);
      const std::size_t some = (heads_ + groups - 1) / groups;
      parallel_workers(step_, count * runs * groups, [&](std::size_t task, std::size_t worker) {
        const std::size_t head = task % groups * some;
        const std::size_t i = task / groups / runs;
        const std::size_t from = task / groups % runs * run;
        const std::size_t end = std::min(lists.parts(first + i), from + run);
        for (std::size_t at = from; at < end && head < heads_; ++at) {
          compute(lists, s, {first + i, at, head, std::min(heads_, head + some)}, worker,
                  parts + (i * most + at) * part_floats());
        }
      });
      // Folding is little work: as many tasks as are worth a thread.
      const std::size_t share = std::max<std::size_t>(1, (1U << 15U) / (most * dim_));
      const std::size_t shares = (heads_ + share - 1) / share;
      parallel_workers(step_, count * shares, [&](std::size_t task, std::size_t) {
        const std::size_t i = first + task / shares;
        const std::size_t from = task % shares * share;
        const std::size_t to = std::min(heads_, from + share);
        for (std::size_t h = from; h < to; ++h) {
          ops::AttentionFold f = start(s.row + i, h);
          const float* part = parts + (i - first) * most * part_floats();
          for (std::size_t at = 0; at < lists.parts(i); ++at) {
            fold(f, part, h);
            part += part_floats();
          }
          f.finish();
        }
        rotate_back(s.row + i, from, to);
      });
    }
  }

 private:
  [[nodiscard]] std::size_t part_floats() const { return heads_ * (dim_ + 2); }

  [[nodiscard]] ops::AttentionFold start(std::size_t r, std::size_t h) const {
    float* out = out_ + (r * heads_ + h) * dim_;
    std::fill_n(out, dim_, 0.0F);
    return {.out = out, .dim = dim_, .largest = sink_[h], .sum = 1.0F};
  }
  [[nodiscard]] std::vector<ops::AttentionFold> start(std::size_t r) const {
    std::vector<ops::AttentionFold> folds;
    for (std::size_t h = 0; h < heads_; ++h) folds.push_back(start(r, h));
    return folds;
  }
  // Some heads of a part of a token's rows.
  struct Share {
    std::size_t token, part, head, end;
  };
  void compute(const RowLists& lists, const Segment& s, Share share, std::size_t worker,
               float* part) const {
    const std::size_t first = share.part * lists.part_rows(share.token);
    const std::size_t end = std::min(lists.size(share.token), first + lists.part_rows(share.token));
    // A few heads at a time, and meanwhile the rows of the next piece come from memory.
    constexpr std::size_t kHeads = 4;
    const std::size_t fetched =
        (ops::kAttentionRows * kHeads + share.end - share.head - 1) / (share.end - share.head);
    for (std::size_t from = first; from < end; from += ops::kAttentionRows) {
      const float* rows[ops::kAttentionRows];
      const std::size_t to = std::min(end, from + ops::kAttentionRows);
      lists.rows(share.token, from, to, worker, rows);
      std::size_t ahead = to;
      for (std::size_t h = share.head; h < share.end; h += kHeads, ahead += fetched) {
        lists.fetch(share.token, ahead, ahead + fetched);
        step_.ops.attention_piece({.q = q_ + ((s.row + share.token) * heads_ + h) * dim_,
                                   .heads = std::min(kHeads, share.end - h),
                                   .dim = dim_,
                                   .rows = rows,
                                   .n_rows = to - from,
                                   .scale = scale_,
                                   .first = from == first,
                                   .out = part + h * dim_,
                                   .largest = part + heads_ * dim_ + h,
                                   .sum = part + heads_ * (dim_ + 1) + h});
      }
    }
  }
  void fold(ops::AttentionFold& f, const float* part, std::size_t h) const {
    f.add(part + h * dim_, part[heads_ * dim_ + h], part[heads_ * (dim_ + 1) + h]);
  }
  void rotate_back(std::size_t r, std::size_t from, std::size_t to) const {
    const std::size_t rope = step_.config->qk_rope_head_dim;
    float* out = out_ + (r * heads_ + from) * dim_;
    if (step_.trace != nullptr) step_.note("attn_raw", layer_, out, to - from, dim_);
    ops::rope_apply(out, to - from, dim_, dim_, rope, rope_.cos + r * rope / 2,
                    rope_.sin + r * rope / 2, ops::RopeDirection::kInverse);
  }

  const StepContext& step_;
  const float* sink_;
  std::size_t layer_;
  const Selection& selection_;
  const RopeAngles& rope_;
  const float* q_;
  float* out_;
  std::size_t heads_, dim_;
  float scale_;
};

}  // namespace

void attend(const StepContext& step, const AttentionWeights& w, std::size_t layer,
            const Selection& selection, const RopeAngles& rope, const float* q, float* out) {
  Attend attend(step, w, layer, selection, rope, q, out);
  for (const Segment& s : step.segments) {
    if (step.rows >= 2 * worker_count(step)) {
      attend.whole_tokens(s);
    } else {
      attend.parts_of_tokens(s);
    }
  }
}

}  // namespace ambit::inference
