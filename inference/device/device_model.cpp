#include "inference/device/device_model.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <new>
#include <optional>

#include "inference/device/device_step.h"
#include "inference/device/step_upload.h"
#include "inference/ops/rope.h"
#include "inference/plan.h"

namespace ambit::inference {
namespace {

namespace cuda = ops::cuda;

// What a small step's launches depend on: two steps of one shape are the same launches with the
// same addresses. All else they read from the upload.
struct StepShape {
  std::size_t segments = 0, rows = 0, logits = 0, mtp_segments = 0, mtp_rows = 0;
  bool mtp_logits = false;
  std::int64_t longest = 0;
  auto operator<=>(const StepShape&) const = default;
};

// The rows of some segments of a step.
struct RowArrays {
  StepUpload::Array<std::int32_t> ids, segment_of;
  StepUpload::Array<std::int64_t> positions;
  StepUpload::Array<cuda::SegmentRef> segments;
  std::size_t rows = 0;
  std::int64_t longest = 0;
};

class DeviceModel final : public StepModel {
 public:
  DeviceModel(const DeviceLibrary& library, ModelConfig config, std::uint64_t fingerprint,
              const StateShape& shape, const DeviceOptions& options)
      : library_(library),
        config_(std::move(config)),
        fingerprint_(fingerprint),
        options_(options),
        device_(*library.api),
        scratch_(*library.api),
        memory_(device_, state_limit()),
        pages_(shape, memory_) {}

  ~DeviceModel() override { forget_graphs(); }

  Result<void> upload(const ModelWeights& weights, bool drafts) {
    const std::uint64_t room = library_.info.free_bytes - state_limit();
    // Long steps are worth their scratch where experts come from the host once a step.
    for (const std::size_t rows : {kRows, kRowsFromHost}) {
      most_rows_ = rows;
      while (most_rows_ > 128 && step_scratch_bytes(config_, most_rows_) > room / 3)
        most_rows_ /= 2;
      if (weights.bytes + step_scratch_bytes(config_, most_rows_) <= room &&
          (options_.weights_bytes == 0 || weights.bytes <= options_.weights_bytes)) {
        break;
      }
    }
    const std::uint64_t rest = room - std::min(room, step_scratch_bytes(config_, most_rows_));
    const std::uint64_t budget =
        options_.weights_bytes != 0 ? std::min(options_.weights_bytes, rest) : rest;
    AMBIT_TRY(up, upload_weights(device_, config_, weights, drafts, budget));
    weights_ = std::move(up);
    if (weights_.slots.dspark) {
      const float* from = weights.dspark->confidence;
      confidence_.assign(from, from + config_.hidden_size + config_.dspark_markov_rank);
    }
    for (const bool compressed : {false, true}) {
      const std::vector<float> f = rope_frequencies(config_, compressed);
      DeviceBuffer& to = frequencies_[compressed ? 1 : 0];
      to = DeviceBuffer(*library_.api, f.size() * sizeof(float));
      device_.copy(to.data(), f.data(), f.size() * sizeof(float));
    }
    if (!device_.wait()) return make_error(Code::kUnavailable, device_.problem());
    return {};
  }

  const ModelConfig& config() const override { return config_; }
  const PageMaker& pages() const override { return pages_; }
  bool has_mtp() const override { return !weights_.slots.mtp.empty(); }
  std::size_t draft_length() const override {
    return weights_.slots.dspark ? config_.dspark_block_size : StepModel::draft_length();
  }
  std::uint64_t fingerprint() const override { return fingerprint_; }
  std::uint64_t weights_bytes() const override { return weights_.slots.bytes; }
  std::uint64_t state_limit() const override {
    return std::min(options_.state_bytes, library_.info.free_bytes / 4);
  }
  std::size_t most_rows() const override { return most_rows_; }
  std::string_view backend() const override { return "cuda"; }
  std::string device() const override {
    const cuda::DeviceInfo& i = library_.info;
    std::string text = std::string(i.name) + ", compute capability " + std::to_string(i.major) +
                       "." + std::to_string(i.minor) + ", " +
                       std::to_string(i.memory_bytes >> 30U) + " GiB";
    const std::uint64_t host = weights_.experts->host_bytes();
    if (host == 0) return text;
    text += ", " + std::to_string(host >> 20U) + " MiB of experts in host memory";
    const int share = on_card_.load(std::memory_order_relaxed);
    if (share >= 0) {
      text += ", " + std::to_string(share) + " % of what tokens choose on the card";
    }
    return text;
  }

  Result<StepOutput> step(std::span<const StepInput> inputs) override {
    try {
      return forward(inputs);
    } catch (const std::bad_alloc&) {
      return no_room();
    }
  }

  Result<void> propose(KvCache& cache, TokenId next, std::size_t count,
                       std::vector<TokenId>& out) override {
    const std::int64_t before = cache.length();
    Result<void> done;
    try {
      done = weights_.slots.dspark ? draft_by_dspark(cache, next, count, out)
                                   : draft_by_mtp(cache, next, count, out);
    } catch (const std::bad_alloc&) {
      done = no_room();
    }
    cache.truncate(before);
    return done;
  }

 private:
  static Error no_room() {
    return make_error(Code::kResourceExhausted,
                      "the graphics card has no room for more state; ask with a shorter prompt");
  }

  // One row of a step's tokens: which segments, and whether the MTP block's first row is left out.
  RowArrays reserve(StepUpload& up, std::span<const Segment> segments) const {
    RowArrays a;
    for (const Segment& s : segments) {
      a.rows += s.count;
      a.longest = std::max(a.longest, s.start + static_cast<std::int64_t>(s.count));
    }
    a.ids = up.reserve<std::int32_t>(a.rows);
    a.segment_of = up.reserve<std::int32_t>(a.rows);
    a.positions = up.reserve<std::int64_t>(a.rows);
    a.segments = up.reserve<cuda::SegmentRef>(segments.size());
    return a;
  }

  // pages: one array a segment.
  static DeviceRows fill(const StepUpload& up, const RowArrays& a,
                         std::span<const Segment> segments,
                         std::span<const StepUpload::Array<cuda::PageRef>> pages) {
    DeviceRows out;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const Segment& s = segments[i];
      up.host(a.segments)[i] = {up.device(pages[i]),
                                s.start,
                                s.first_position,
                                static_cast<std::int32_t>(s.row),
                                static_cast<std::int32_t>(s.count),
                                s.mutual ? 1 : 0};
      out.mutual = s.mutual;
      for (std::size_t r = 0; r < s.count; ++r) {
        const std::int64_t position = s.start + static_cast<std::int64_t>(r);
        up.host(a.ids)[s.row + r] = s.cache->token(position);
        up.host(a.segment_of)[s.row + r] = static_cast<std::int32_t>(i);
        up.host(a.positions)[s.row + r] = position;
      }
    }
    out.rows.ids = up.device(a.ids);
    out.rows.segment_of = up.device(a.segment_of);
    out.rows.positions = up.device(a.positions);
    out.rows.segments = up.device(a.segments);
    out.rows.rows = a.rows;
    // Of small steps in whole thousands, so that many in a row are the same launches: blocks that
    // find nothing to do leave at once.
    out.longest = a.rows <= kRecorded ? (a.longest + 1023) / 1024 * 1024 : a.longest;
    return out;
  }

  static void fill_pages(cuda::PageRef* to, const KvCache& cache) {
    for (const PagePtr& p : cache.pages()) {
      *to++ = {reinterpret_cast<float*>(p->rows.data()), p->window.data(), p->raw.data(),
               p->edge.data()};
    }
  }

  DeviceStep begin(const DeviceRows& rows, std::int64_t rope_shift) {
    DeviceStep step(device_, scratch_, config_, pages_.shape(), options_.numerics, rows);
    step.make_rope(reinterpret_cast<const float*>(frequencies_[0].data()),
                   reinterpret_cast<const float*>(frequencies_[1].data()), rope_shift);
    return step;
  }

  void embed(const DeviceRows& rows, int copies, float* out) {
    cuda::EmbedArgs a;
    a.table = weights_.slots.embed;
    a.step = rows.rows;
    a.copies = copies;
    a.out = out;
    device_.run(device_.api().embed, a, "embed");
  }

  cuda::KeptStreamsArgs kept(const DeviceRows& rows, float* streams) const {
    const StateShape& s = pages_.shape();
    cuda::KeptStreamsArgs a;
    a.step = rows.rows;
    a.width = s.streams;
    a.raw_at = s.streams_at;
    a.edge_at = s.streams_edge_at;
    a.streams = streams;
    return a;
  }

  // The MTP block (model/mtp.h) over rows whose earlier streams are kept; its own streams come out.
  float* run_mtp(const DeviceRows& rows) {
    const std::size_t n = rows.rows.rows;
    const std::size_t dim = config_.hidden_size;
    const MtpWeights& w = weights_.slots.mtp[0];
    float* streams = scratch_.take(n * wide());
    DeviceStep step = begin(rows, 1);
    {
      const ScratchScope scope(scratch_);
      device_.run(device_.api().load_streams, kept(rows, streams), "load_streams");
      float* embedded = scratch_.take(n * dim);
      float* from_e = scratch_.take(n * dim);
      embed(rows, 1, embedded);
      const auto norm = [&](const float* x, const float* weight, std::size_t count,
                            const ops::Matrix& reader) {
        cuda::NormArgs a;
        a.x = x;
        a.rows = count;
        a.weight = weight;
        a.eps = config_.rms_norm_eps;
        a.out = step.forms(count, dim, {&reader});
        device_.run(device_.api().rms_norm, a, "rms_norm");
        return a.out;
      };
      step.linear(norm(embedded, w.enorm, n, w.e_proj), n, {{&w.e_proj, from_e}});
      step.linear(norm(streams, w.hnorm, n * cuda::kStreams, w.h_proj), n * cuda::kStreams,
                  {{&w.h_proj, streams}});
      cuda::AddArgs add;
      add.x = streams;
      add.y = from_e;
      add.rows = n;
      add.copies = cuda::kStreams;
      add.dim = dim;
      device_.run(device_.api().add_rows, add, "add_rows");
    }
    const std::size_t layer = weights_.slots.layers.size();
    step.block(w.block, weights_.experts->enter(layer), layer, streams);
    weights_.experts->leave(layer);
    step.settle(streams);
    return streams;
  }

  // The logits of the rows that `index` (device memory) names, -1 for none; to host memory.
  void logits(DeviceStep& step, const HcWeights& hc, const float* norm, const float* streams,
              const std::int32_t* index, std::size_t n, float* host) {
    const ScratchScope scope(scratch_);
    cuda::GatherArgs gather;
    gather.in = streams;
    gather.index = index;
    gather.n = n;
    gather.width = wide();
    float* picked = scratch_.take(n * wide());
    gather.out = picked;
    device_.run(device_.api().gather_rows, gather, "gather_rows");
    float* out = scratch_.take(n * config_.vocab_size);
    step.head(hc, norm, weights_.slots.head, picked, n, out);
    device_.copy(host, out, n * config_.vocab_size * sizeof(float));
  }

  // The kernels of a step and the download of its logits; mtp_index null: the MTP block keeps its
  // state but gives no logits.
  void queue_step(const DeviceRows& rows, const DeviceRows& mtp_rows, const std::int32_t* index,
                  std::size_t n_logits, float* host, const std::int32_t* mtp_index,
                  float* host_mtp) {
    weights_.experts->begin(rows.rows.rows);
    queue_graph(rows, mtp_rows, index, n_logits, host, mtp_index, host_mtp);
    weights_.experts->queue_counts();
  }

  void queue_graph(const DeviceRows& rows, const DeviceRows& mtp_rows, const std::int32_t* index,
                   std::size_t n_logits, float* host, const std::int32_t* mtp_index,
                   float* host_mtp) {
    float* streams = scratch_.take(rows.rows.rows * wide());
    DeviceStep step = begin(rows, 0);
    embed(rows, cuda::kStreams, streams);
    const ModelWeights& w = weights_.slots;
    float* taps = w.dspark ? scratch_.take(rows.rows.rows * w.dspark->main_proj.cols) : nullptr;
    for (std::size_t l = 0; l < w.layers.size(); ++l) {
      step.block(w.layers[l], weights_.experts->enter(l), l, streams);
      weights_.experts->leave(l);
      if (taps != nullptr) step.tap(l, streams, taps);
    }
    step.settle(streams);
    if (taps != nullptr) step.dspark_rows(*w.dspark, w.layers.size(), taps);
    if (n_logits != 0) logits(step, w.hc_head, w.norm, streams, index, n_logits, host);
    if (!has_mtp()) return;
    device_.run(device_.api().save_streams, kept(rows, streams), "save_streams");
    if (mtp_rows.rows.rows == 0) return;
    const float* mtp_streams = run_mtp(mtp_rows);
    if (mtp_index == nullptr || n_logits == 0) return;
    DeviceStep mtp_step = begin(mtp_rows, 1);
    logits(mtp_step, w.mtp[0].hc_head, w.mtp[0].norm, mtp_streams, mtp_index, n_logits, host_mtp);
  }

  // A small step's shape that comes again is recorded, and replayed from then on.
  template <class F>
  void run_or_replay(const StepShape& shape, const F& queue) {
    if (shape.rows > kRecorded) return queue();
    const auto [known, fresh] = graphs_.try_emplace(shape, nullptr);
    if (fresh) return queue();  // also brings scratch to its size
    if (known->second == nullptr) known->second = device_.record(queue);
    if (known->second == nullptr) {
      graphs_.erase(known);
      return queue();
    }
    device_.replay(known->second);
  }

  void learn(std::size_t tokens) {
    weights_.experts->learn(tokens);
    on_card_.store(static_cast<int>(100 * weights_.experts->share_on_card()),
                   std::memory_order_relaxed);
  }

  void forget_graphs() {
    for (const auto& [shape, graph] : graphs_) {
      if (graph != nullptr) device_.api().release_graph(graph);
    }
    graphs_.clear();
  }

  Result<StepOutput> forward(std::span<const StepInput> inputs) {
    if (!device_.problem().empty()) return make_error(Code::kUnavailable, device_.problem());
    scratch_.reset();
    segments_.clear();
    std::size_t rows = 0;
    std::size_t n_logits = 0;
    bool mtp_logits = false;
    for (const StepInput& in : inputs) {
      segments_.push_back({in.cache, in.cache->length(), in.ids.size(), rows, 0});
      in.cache->extend(in.ids);
      rows += in.ids.size();
      n_logits += in.ids.size() - std::min(in.logits_from, in.ids.size());
      mtp_logits = mtp_logits || (in.mtp_logits && has_mtp());
    }
    mtp_segments_.clear();
    std::size_t mtp_rows = 0;
    for (const Segment& s : segments_) {
      const std::size_t skip = s.start == 0 ? 1 : 0;
      if (!has_mtp() || s.count == skip) continue;
      mtp_segments_.push_back(
          {s.cache, s.start + static_cast<std::int64_t>(skip), s.count - skip, mtp_rows, 1});
      mtp_rows += s.count - skip;
    }

    StepUpload up(device_, staging_, target_);
    const RowArrays main = reserve(up, segments_);
    const RowArrays mtp = reserve(up, mtp_segments_);
    const auto index = up.reserve<std::int32_t>(n_logits);
    const auto mtp_index = up.reserve<std::int32_t>(n_logits);
    std::vector<StepUpload::Array<cuda::PageRef>> pages;
    std::vector<StepUpload::Array<cuda::PageRef>> mtp_pages;
    for (const Segment& s : segments_) {
      pages.push_back(up.reserve<cuda::PageRef>(s.cache->pages().size()));
      if (has_mtp() && s.count > (s.start == 0 ? 1U : 0U)) mtp_pages.push_back(pages.back());
    }
    if (up.allocate()) forget_graphs();
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      fill_pages(up.host(pages[i]), *segments_[i].cache);
    }
    const DeviceRows main_rows = fill(up, main, segments_, pages);
    const DeviceRows second_rows = fill(up, mtp, mtp_segments_, mtp_pages);
    std::size_t n = 0;
    std::size_t second = 0;  // row of the MTP block
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Segment& s = segments_[i];
      for (std::size_t r = 0; r < s.count; ++r) {
        const bool absent = s.start == 0 && r == 0;
        if (r >= inputs[i].logits_from) {
          up.host(index)[n] = static_cast<std::int32_t>(s.row + r);
          up.host(mtp_index)[n++] = absent ? -1 : static_cast<std::int32_t>(second);
        }
        if (!absent) ++second;
      }
    }
    up.send();

    const std::size_t vocab = config_.vocab_size;
    const std::size_t bytes = (mtp_logits ? 2 : 1) * n_logits * vocab * sizeof(float);
    if (logits_.size() < bytes) {
      forget_graphs();
      logits_ = DeviceBuffer(device_.api(), bytes, DeviceBuffer::Place::kHost);
    }
    auto* host = reinterpret_cast<float*>(logits_.data());
    float* host_mtp = host + n_logits * vocab;
    const auto queue = [&] {
      queue_step(main_rows, second_rows, up.device(index), n_logits, host,
                 mtp_logits ? up.device(mtp_index) : nullptr, host_mtp);
    };
    run_or_replay({segments_.size(), rows, n_logits, mtp_segments_.size(), mtp_rows, mtp_logits,
                   main_rows.longest},
                  queue);
    if (!device_.wait()) return make_error(Code::kUnavailable, device_.problem());
    learn(rows);
    StepOutput out;
    out.logits = {host, n_logits * vocab};
    if (mtp_logits) {
      // The pair before the first token has none: not what the head makes of zeros.
      n = 0;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        for (std::size_t r = inputs[i].logits_from; r < segments_[i].count; ++r, ++n) {
          if (segments_[i].start == 0 && r == 0) std::fill_n(host_mtp + n * vocab, vocab, 0.0F);
        }
      }
      out.mtp_logits = {host_mtp, n_logits * vocab};
    }
    return out;
  }

  Result<void> draft_by_dspark(KvCache& cache, TokenId next, std::size_t count,
                               std::vector<TokenId>& out) {
    const DsparkWeights& w = *weights_.slots.dspark;
    const std::size_t n = config_.dspark_block_size;
    const std::size_t dim = config_.hidden_size;
    const std::size_t rank = config_.dspark_markov_rank;
    scratch_.reset();
    std::vector<TokenId> ids(n, config_.dspark_noise_token_id);
    ids[0] = next;
    const Segment segment{&cache, cache.length(), n, 0, 0, /*mutual=*/true};
    cache.extend(ids);
    const std::span<const Segment> one(&segment, 1);
    StepUpload up(device_, staging_, target_);
    const RowArrays arrays = reserve(up, one);
    const auto pages = up.reserve<cuda::PageRef>(cache.pages().size());
    const auto tokens = up.reserve<std::int32_t>(n + 1);
    if (up.allocate()) forget_graphs();
    fill_pages(up.host(pages), cache);
    const DeviceRows rows = fill(up, arrays, one, {&pages, 1});
    up.host(tokens)[0] = next;
    up.send();
    weights_.experts->begin(n);
    float* streams = scratch_.take(n * wide());
    float* mixed = scratch_.take(n * dim);
    float* before = scratch_.take(n * rank);
    float* logits = scratch_.take(n * config_.vocab_size);
    DeviceStep step = begin(rows, 0);
    embed(rows, cuda::kStreams, streams);
    for (std::size_t s = 0; s < w.stages.size(); ++s) {
      const std::size_t layer = weights_.slots.layers.size() + s;
      step.block(w.stages[s], weights_.experts->enter(layer), layer, streams);
      weights_.experts->leave(layer);
    }
    step.settle(streams);
    step.head(w.hc_head, w.norm, weights_.slots.head, streams, n, logits, mixed);
    const std::size_t most = std::min(count, n);
    step.dspark_tokens(w, most, logits, before, up.device(tokens));

    const std::size_t bytes = n * (dim + rank) * sizeof(float);
    if (drafted_.size() < bytes) {
      drafted_ = DeviceBuffer(device_.api(), bytes, DeviceBuffer::Place::kHost);
    }
    auto* x = reinterpret_cast<float*>(drafted_.data());
    float* markov = x + n * dim;
    device_.copy(x, mixed, n * dim * sizeof(float));
    device_.copy(markov, before, most * rank * sizeof(float));
    device_.copy(up.host(tokens), up.device(tokens), (n + 1) * sizeof(std::int32_t));
    if (!device_.wait()) return make_error(Code::kUnavailable, device_.problem());
    float sure = 1;
    for (std::size_t i = 0; i < most; ++i) {
      float sum = 0;
      for (std::size_t k = 0; k < dim; ++k) sum += confidence_[k] * x[i * dim + k];
      for (std::size_t k = 0; k < rank; ++k) sum += confidence_[dim + k] * markov[i * rank + k];
      sure *= 1 / (1 + std::exp(-sum));
      if (sure < options_.least_confidence) break;
      out.push_back(up.host(tokens)[i + 1]);
    }
    return {};
  }

  Result<void> draft_by_mtp(KvCache& cache, TokenId next, std::size_t count,
                            std::vector<TokenId>& out) {
    TokenId token = next;
    for (std::size_t i = 0; i < count; ++i) {
      scratch_.reset();
      const Segment segment{&cache, cache.length(), 1, 0, 1};
      cache.extend({&token, 1});
      const std::span<const Segment> one(&segment, 1);
      StepUpload up(device_, staging_, target_);
      const RowArrays arrays = reserve(up, one);
      const auto pages = up.reserve<cuda::PageRef>(cache.pages().size());
      const auto index = up.reserve<std::int32_t>(1);
      if (up.allocate()) forget_graphs();
      fill_pages(up.host(pages), cache);
      const DeviceRows rows = fill(up, arrays, one, {&pages, 1});
      *up.host(index) = 0;
      up.send();
      weights_.experts->begin(1);
      float* streams = run_mtp(rows);
      // The block's own output stands in for the backbone's streams of the drafted position.
      device_.run(device_.api().save_streams, kept(rows, streams), "save_streams");
      DeviceStep step = begin(rows, 1);
      const MtpWeights& w = weights_.slots.mtp[0];
      float* row = scratch_.take(config_.vocab_size);
      step.head(w.hc_head, w.norm, weights_.slots.head, streams, 1, row);
      cuda::ArgmaxArgs best;
      best.x = row;
      best.rows = 1;
      best.dim = config_.vocab_size;
      best.out = up.device(index);
      device_.run(device_.api().argmax, best, "argmax");
      device_.copy(up.host(index), best.out, sizeof(std::int32_t));
      if (!device_.wait()) return make_error(Code::kUnavailable, device_.problem());
      token = *up.host(index);
      out.push_back(token);
    }
    return {};
  }

  [[nodiscard]] std::size_t wide() const { return config_.hc_mult * config_.hidden_size; }

  DeviceLibrary library_;
  ModelConfig config_;
  std::uint64_t fingerprint_;
  DeviceOptions options_;
  Device device_;
  DeviceWeights weights_;
  std::atomic<int> on_card_ = -1;  // per cent of what tokens choose; -1: no token yet
  DeviceBuffer frequencies_[2];
  DeviceBuffer staging_;                       // pinned: a step's upload
  DeviceBuffer target_;                        // where it goes
  DeviceBuffer logits_;                        // pinned
  std::vector<float> confidence_;              // DSpark's head, on the host
  DeviceBuffer drafted_;                       // pinned: what a draft's confidence is made of
  std::map<StepShape, void*> graphs_;          // null: seen once
  static constexpr std::size_t kRecorded = 8;  // rows of a step, at most
  static constexpr std::size_t kRows = 2048, kRowsFromHost = 4096;
  std::size_t most_rows_ = kRows;
  DeviceScratch scratch_;
  DevicePages memory_;
  PageMaker pages_;
  std::vector<Segment> segments_;
  std::vector<Segment> mtp_segments_;
};

// The same shape with every row at a multiple of 16 bytes, for the kernels' loads.
StateShape aligned_rows(StateShape s) {
  s.row_bytes = (s.row_bytes + 15) / 16 * 16;
  s.rows_bytes = 0;
  for (LayerShape& l : s.layers) {
    if (l.ratio == 0) continue;
    l.rows_at = s.rows_bytes;
    s.rows_bytes += static_cast<std::size_t>(kPageTokens / l.ratio) * s.row_bytes;
    if (l.index_width == 0) continue;
    l.index_at = s.rows_bytes;
    s.rows_bytes += s.index_block_bytes;
  }
  return s;
}

}  // namespace

Result<std::unique_ptr<StepModel>> open_device_model(const std::filesystem::path& path,
                                                     const DeviceOptions& options) {
  AMBIT_TRY(library, open_device_library());
  AMBIT_TRY(checkpoint, open_checkpoint(path));
  AMBIT_TRY(weights, bind_weights(checkpoint));
  if (auto served = check_device_model(checkpoint.config, weights); !served) return served.error();
  const bool drafts = options.mtp && (!weights.mtp.empty() || weights.dspark);
  const bool rounded = options.numerics != Numerics::kPlain;
  const StateShape shape = aligned_rows(
      state_shape(checkpoint.config, weights, drafts, {.rounded = rounded, .packed = rounded}));
  const std::uint64_t fingerprint =
      model_fingerprint(weights, "cuda", rounded ? Numerics::kRelease : Numerics::kPlain, drafts);
  DeviceOptions o = options;
  if (o.state_bytes == 0) {
    // Warm prefixes, and as much for the sequences that are being computed.
    o.state_bytes = 2 * default_state_bytes(checkpoint.config, library.info.free_bytes);
  }
  auto model =
      std::make_unique<DeviceModel>(library, std::move(checkpoint.config), fingerprint, shape, o);
  if (auto done = model->upload(weights, drafts); !done) return done.error();
  return std::unique_ptr<StepModel>(std::move(model));
}

}  // namespace ambit::inference
