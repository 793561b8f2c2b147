#include "inference/device/device_model.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <new>

#include "inference/device/device_drafts.h"
#include "inference/plan.h"

namespace ambit::inference {
namespace {

namespace cuda = ops::cuda;

std::string hex(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

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
        pages_(shape, memory_),
        pass_(device_, scratch_, config_, pages_.shape(), options.numerics, weights_),
        graphs_(device_),
        drafts_(pass_, room_, graphs_, options.least_confidence) {}

  Result<void> upload(const ModelWeights& weights, bool drafts) {
    const std::uint64_t room = library_.info.free_bytes - state_limit();
    // Long steps are worth their scratch where experts come from the host once a step.
    for (const std::size_t rows : {kRows, options_.cpu_experts ? kRowsWithCpu : kRowsFromHost}) {
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
    ExpertSetup setup;
    setup.config = &config_;
    setup.numerics = options_.numerics;
    setup.cpu = options_.cpu_experts;
    setup.threads = options_.threads;
    setup.files = weights.files;
    setup.fingerprint = fingerprint_;
    if (!options_.state_directory.empty()) {
      setup.use_file = options_.state_directory / ("experts-" + hex(fingerprint_));
    }
    AMBIT_TRY(up, upload_weights(device_, config_, weights, drafts, budget, setup));
    weights_ = std::move(up);
    if (weights_.slots.dspark) {
      const float* from = weights.dspark->confidence;
      drafts_.set_confidence({from, config_.hidden_size + config_.dspark_markov_rank});
    }
    pass_.upload_frequencies();
    if (!device_.wait()) return make_error(Code::kUnavailable, device_.problem());
    return {};
  }

  const ModelConfig& config() const override { return config_; }
  const PageMaker& pages() const override { return pages_; }
  bool has_mtp() const override { return !weights_.slots.mtp.empty(); }
  std::size_t draft_length() const override {
    return weights_.slots.dspark ? config_.dspark_block_size : StepModel::draft_length();
  }
  std::uint64_t fingerprint() const override { return weights_.experts->fingerprint(); }
  std::uint64_t weights_bytes() const override { return weights_.slots.bytes; }
  std::uint64_t state_limit() const override {
    return std::min(options_.state_bytes, library_.info.free_bytes / 4);
  }
  std::size_t most_rows() const override { return most_rows_; }
  bool chooses() const override { return true; }
  std::string_view backend() const override { return "cuda"; }
  std::string device() const override {
    const cuda::DeviceInfo& i = library_.info;
    std::string text = std::string(i.name) + ", compute capability " + std::to_string(i.major) +
                       "." + std::to_string(i.minor) + ", " +
                       std::to_string(i.memory_bytes >> 30U) + " GiB";
    const ExpertStore& experts = *weights_.experts;
    if (experts.cold() != nullptr) {
      const std::size_t threads = experts.cold()->threads();
      text += ", " + std::to_string(experts.cpu_bytes() >> 20U) +
              " MiB of experts computed by the CPU on " + std::to_string(threads) +
              (threads == 1 ? " thread" : " threads");
    } else if (experts.host_bytes() != 0) {
      text += ", " + std::to_string(experts.host_bytes() >> 20U) + " MiB of experts in host memory";
    } else {
      return text;
    }
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
      done = weights_.slots.dspark ? drafts_.dspark(cache, next, count, out)
                                   : drafts_.mtp(cache, next, count, out);
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

  void learn(std::size_t tokens) {
    weights_.experts->learn(tokens);
    on_card_.store(static_cast<int>(100 * weights_.experts->share_on_card()),
                   std::memory_order_relaxed);
  }

  // A pinned buffer that launches write to.
  void make_room(DeviceBuffer& buffer, std::size_t bytes) {
    if (buffer.size() >= bytes) return;
    graphs_.forget();
    buffer = DeviceBuffer(device_.api(), bytes, DeviceBuffer::Place::kHost);
  }

  // All inputs' choices, their masks one after another.
  void fill_choices(std::span<const StepInput> inputs, ops::SampleRow* row,
                    std::uint32_t* mask) const {
    const std::size_t words = ops::mask_words(config_.vocab_size);
    std::int32_t masks = 0;
    for (const StepInput& in : inputs) {
      for (const ops::SampleRow& from : in.choices) {
        *row = from;
        if (row->mask >= 0) row->mask += masks;
        ++row;
      }
      mask = std::copy(in.masks.begin(), in.masks.end(), mask);
      masks += static_cast<std::int32_t>(in.masks.size() / words);
    }
  }

  Result<StepOutput> forward(std::span<const StepInput> inputs) {
    if (!device_.problem().empty()) return make_error(Code::kUnavailable, device_.problem());
    scratch_.reset();
    segments_.clear();
    std::size_t rows = 0;
    std::size_t n_logits = 0;
    bool mtp_logits = false;
    bool choose = true;
    std::size_t mask_words = 0;
    for (const StepInput& in : inputs) {
      segments_.push_back({in.cache, in.cache->length(), in.ids.size(), rows, 0});
      in.cache->extend(in.ids);
      rows += in.ids.size();
      n_logits += in.ids.size() - std::min(in.logits_from, in.ids.size());
      mtp_logits = mtp_logits || (in.mtp_logits && has_mtp());
      choose = choose && (in.choices.size() + in.logits_from == in.ids.size() ||
                          in.logits_from >= in.ids.size());
      mask_words += in.masks.size();
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

    StepUpload up(device_, room_);
    const RowArrays main = reserve_rows(up, segments_);
    const RowArrays mtp = reserve_rows(up, mtp_segments_);
    const auto index = up.reserve<std::int32_t>(n_logits);
    const auto mtp_index = up.reserve<std::int32_t>(n_logits);
    choose = choose && n_logits != 0;
    const auto choices = up.reserve<ops::SampleRow>(choose ? n_logits : 0);
    const auto masks = up.reserve<std::uint32_t>(choose ? mask_words : 0);
    std::vector<StepUpload::Array<cuda::PageRef>> pages;
    std::vector<StepUpload::Array<cuda::PageRef>> mtp_pages;
    for (const Segment& s : segments_) {
      pages.push_back(up.reserve<cuda::PageRef>(s.cache->pages().size()));
      if (has_mtp() && s.count > (s.start == 0 ? 1U : 0U)) mtp_pages.push_back(pages.back());
    }
    if (up.allocate()) graphs_.forget();
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      fill_pages(up.host(pages[i]), *segments_[i].cache);
    }
    const DeviceRows main_rows = fill_rows(up, main, segments_, pages);
    const DeviceRows second_rows = fill_rows(up, mtp, mtp_segments_, mtp_pages);
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
    if (choose) fill_choices(inputs, up.host(choices), up.host(masks));
    up.send();

    const std::size_t vocab = config_.vocab_size;
    const std::size_t parts = (choose ? 0U : 1U) + (mtp_logits ? 1U : 0U);
    make_room(logits_, parts * n_logits * vocab * sizeof(float));
    if (choose) make_room(chosen_, n_logits * sizeof(ops::Sampled));
    auto* host = reinterpret_cast<float*>(logits_.data());
    float* host_mtp = host + (choose ? 0 : n_logits * vocab);
    DeviceLogits wanted;
    wanted.n = n_logits;
    wanted.rows = up.device(index);
    wanted.host = host;
    if (mtp_logits) wanted.mtp_rows = up.device(mtp_index);
    wanted.mtp_host = host_mtp;
    if (choose) {
      wanted.choices = up.device(choices);
      wanted.masks = up.device(masks);
      wanted.chosen = reinterpret_cast<ops::Sampled*>(chosen_.data());
    }
    graphs_.run({segments_.size(), rows, n_logits, mtp_segments_.size(), mtp_rows,
                 choose ? mask_words : 0, mtp_logits, choose, main_rows.longest},
                [&] { pass_.queue(main_rows, second_rows, wanted); });
    if (!device_.wait()) return make_error(Code::kUnavailable, device_.problem());
    learn(rows);
    StepOutput out;
    if (choose) {
      out.chosen = {wanted.chosen, n_logits};
    } else {
      out.logits = {host, n_logits * vocab};
    }
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

  DeviceLibrary library_;
  ModelConfig config_;
  std::uint64_t fingerprint_;
  DeviceOptions options_;
  Device device_;
  DeviceWeights weights_;
  std::atomic<int> on_card_ = -1;  // per cent of what tokens choose; -1: no token yet
  DeviceBuffer logits_, chosen_;   // pinned
  UploadRoom room_;
  static constexpr std::size_t kRows = 2048, kRowsFromHost = 4096, kRowsWithCpu = 512;
  std::size_t most_rows_ = kRows;
  DeviceScratch scratch_;
  DevicePages memory_;
  PageMaker pages_;
  DevicePass pass_;
  StepGraphs graphs_;
  DeviceDrafts drafts_;
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
  const bool drafts = options.mtp && (!weights.mtp.empty() || weights.dspark);
  if (auto served = check_device_model(checkpoint.config, weights, drafts); !served) {
    return served.error();
  }
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
