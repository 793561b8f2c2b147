#include "inference/device/device_model.h"

#include <algorithm>
#include <cstdio>
#include <new>

#include "inference/device/device_drafts.h"
#include "inference/device/pipeline.h"
#include "inference/device/step_pieces.h"

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
  DeviceModel(const DeviceLibrary& library, const DeviceLayout& layout, ModelConfig config,
              std::uint64_t fingerprint, const StateShape& shape, const DeviceOptions& options)
      : layout_(layout),
        config_(std::move(config)),
        shape_(shape),
        fingerprint_(fingerprint),
        options_(options),
        pipeline_(*library.api, layout, config_, shape_, options.numerics),
        memory_(pipeline_.devices(), layout.cuts, layout.state_bytes),
        pages_(shape, memory_),
        drafts_(pipeline_.size() - 1, last().pass, last().room, last().graphs,
                options.least_confidence) {}

  Result<void> upload(const ModelWeights& weights, bool drafts) {
    ExpertSetup setup;
    setup.config = &config_;
    setup.numerics = options_.numerics;
    setup.cpu = layout_.cpu_experts;
    setup.threads = options_.threads;
    setup.files = weights.files;
    setup.fingerprint = fingerprint_;
    if (!options_.state_directory.empty()) {
      setup.use_file = options_.state_directory / ("experts-" + hex(fingerprint_));
    }
    AMBIT_CHECK_OK(pipeline_.upload(weights, drafts, setup));
    weights_bytes_ = weights.bytes;
    if (last().weights.slots.dspark) {
      const float* from = weights.dspark->confidence;
      drafts_.set_confidence({from, config_.hidden_size + config_.dspark_markov_rank});
    }
    return {};
  }

  const ModelConfig& config() const override { return config_; }
  const PageMaker& pages() const override { return pages_; }
  bool has_mtp() const override { return !last().weights.slots.mtp.empty(); }
  std::size_t draft_length() const override {
    return last().weights.slots.dspark ? config_.dspark_block_size : StepModel::draft_length();
  }
  // On several cards all experts are the cards' own, and the state's is the model's.
  std::uint64_t fingerprint() const override { return last().weights.experts->fingerprint(); }
  std::uint64_t weights_bytes() const override { return weights_bytes_; }
  std::uint64_t state_limit() const override { return layout_.state_bytes; }
  std::size_t most_rows() const override { return layout_.most_rows; }
  bool chooses() const override { return true; }
  std::string_view backend() const override { return "cuda"; }
  // Several cards: a part of the line each, behind "; ".
  std::string device() const override {
    const std::size_t n = pipeline_.size();
    if (n == 1) return describe(pipeline_.card(0)) + experts_of(pipeline_.card(0));
    std::string text = std::to_string(n) + " graphics cards";
    for (std::size_t c = 0; c < n; ++c) {
      const Pipeline::Card& card = pipeline_.card(c);
      const LayerRange& layers = card.layout.share.layers;
      const std::uint64_t weights = card.weights.device_bytes + card.weights.experts->card_bytes();
      text += "; card " + std::to_string(card.layout.info.card) + ", " + describe(card) +
              ", layers " + std::to_string(layers.first) + " to " + std::to_string(layers.end - 1) +
              ", " + std::to_string(weights >> 20U) + " MiB of weights" + experts_of(card);
      if (c > 0 && !card.linked) text += ", reached through host memory";
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
      done = last().weights.slots.dspark ? drafts_.dspark(cache, next, count, out)
                                         : drafts_.mtp(cache, next, count, out);
    } catch (const std::bad_alloc&) {
      done = no_room();
    }
    cache.truncate(before);
    return done;
  }

 private:
  using Work = std::vector<std::vector<PieceWork>>;  // [piece][card]

  [[nodiscard]] Pipeline::Card& last() { return pipeline_.last(); }
  [[nodiscard]] const Pipeline::Card& last() const { return pipeline_.last(); }

  static std::string describe(const Pipeline::Card& card) {
    const cuda::DeviceInfo& i = card.layout.info;
    return std::string(i.name) + ", compute capability " + std::to_string(i.major) + "." +
           std::to_string(i.minor) + ", " + std::to_string(i.memory_bytes >> 30U) + " GiB";
  }
  static std::string experts_of(const Pipeline::Card& card) {
    const ExpertStore& experts = *card.weights.experts;
    std::string text;
    if (experts.cold() != nullptr) {
      const std::size_t threads = experts.cold()->threads();
      text = ", " + std::to_string(experts.cpu_bytes() >> 20U) +
             " MiB of experts computed by the CPU on " + std::to_string(threads) +
             (threads == 1 ? " thread" : " threads");
    } else if (experts.host_bytes() != 0) {
      text = ", " + std::to_string(experts.host_bytes() >> 20U) + " MiB of experts in host memory";
    } else {
      return text;
    }
    const int share = card.on_card.load(std::memory_order_relaxed);
    if (share < 0) return text;
    return text + ", " + std::to_string(share) + " % of what tokens choose on the card";
  }

  static Error no_room() {
    return make_error(Code::kResourceExhausted,
                      "the graphics card has no room for more state; ask with a shorter prompt");
  }

  void learn(std::size_t tokens) {
    for (std::size_t c = 0; c < pipeline_.size(); ++c) {
      Pipeline::Card& card = pipeline_.card(c);
      card.weights.experts->learn(tokens);
      card.on_card.store(static_cast<int>(100 * card.weights.experts->share_on_card()),
                         std::memory_order_relaxed);
    }
  }

  // A pinned buffer that the last card's launches write to.
  void make_room(DeviceBuffer& buffer, std::size_t bytes) {
    if (buffer.size() >= bytes) return;
    last().graphs.forget();
    buffer = DeviceBuffer(last().device, bytes, DeviceBuffer::Place::kHost);
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

  // What a step gives besides its state.
  struct Wanted {
    std::size_t logits = 0;  // rows
    std::size_t mask_words = 0;
    bool mtp = false;
    bool choose = true;
  };
  Wanted wanted_of(std::span<const StepInput> inputs) const {
    Wanted w;
    for (const StepInput& in : inputs) {
      w.logits += in.ids.size() - std::min(in.logits_from, in.ids.size());
      w.mtp = w.mtp || (in.mtp_logits && has_mtp());
      w.choose = w.choose && (in.choices.size() + in.logits_from == in.ids.size() ||
                              in.logits_from >= in.ids.size());
      w.mask_words += in.masks.size();
    }
    w.choose = w.choose && w.logits != 0;
    return w;
  }

  // Uploads to a card what all pieces' kernels read there; the logits' part is the last card's.
  void send(std::size_t c, std::span<const StepInput> inputs, std::span<const StepPiece> pieces,
            const Wanted& wanted, Work& work) {
    Pipeline::Card& card = pipeline_.card(c);
    const bool choose = wanted.choose && card.layout.share.last;
    struct Arrays {
      RowArrays main, mtp;
      StepUpload::Array<std::int32_t> index, mtp_index;
    };
    StepUpload up(card.device, card.room);
    std::vector<StepUpload::Array<cuda::PageRef>> pages;
    for (const StepInput& in : inputs) {
      pages.push_back(up.reserve<cuda::PageRef>(in.cache->pages().size()));
    }
    std::vector<Arrays> arrays;
    for (const StepPiece& p : pieces) {
      const std::size_t n = p.logit_rows.size();
      arrays.push_back({reserve_rows(up, p.segments), reserve_rows(up, p.mtp_segments),
                        up.reserve<std::int32_t>(n), up.reserve<std::int32_t>(n)});
    }
    const auto choices = up.reserve<ops::SampleRow>(choose ? wanted.logits : 0);
    const auto masks = up.reserve<std::uint32_t>(choose ? wanted.mask_words : 0);
    if (up.allocate()) card.graphs.forget();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      fill_pages(up.host(pages[i]), *inputs[i].cache, c);
    }
    const auto pages_of = [&](const std::vector<std::size_t>& of) {
      std::vector<StepUpload::Array<cuda::PageRef>> out;
      for (const std::size_t i : of) out.push_back(pages[i]);
      return out;
    };
    std::size_t first = 0;  // row of logits
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const StepPiece& p = pieces[i];
      const Arrays& a = arrays[i];
      PieceWork& out = work[i][c];
      out.rows = fill_rows(up, a.main, p.segments, pages_of(p.inputs));
      out.mtp_rows = fill_rows(up, a.mtp, p.mtp_segments, pages_of(p.mtp_inputs));
      std::copy(p.logit_rows.begin(), p.logit_rows.end(), up.host(a.index));
      std::copy(p.mtp_logit_rows.begin(), p.mtp_logit_rows.end(), up.host(a.mtp_index));
      out.logits.n = p.logit_rows.size();
      out.logits.rows = up.device(a.index);
      if (wanted.mtp) out.logits.mtp_rows = up.device(a.mtp_index);
      if (choose) {
        out.logits.choices = up.device(choices) + first;
        out.logits.masks = up.device(masks);
      }
      first += out.logits.n;
    }
    if (choose) fill_choices(inputs, up.host(choices), up.host(masks));
    up.send();
  }

  Result<StepOutput> forward(std::span<const StepInput> inputs) {
    if (!pipeline_.problem().empty()) return make_error(Code::kUnavailable, pipeline_.problem());
    const Wanted wanted = wanted_of(inputs);
    std::size_t rows = 0;
    for (const StepInput& in : inputs) rows += in.ids.size();
    const auto pieces = cut_step(inputs, has_mtp(), layout_.pieces(rows));
    for (const StepInput& in : inputs) in.cache->extend(in.ids);
    pipeline_.reserve((rows + pieces.size() - 1) / pieces.size(), pieces.size());
    Work work(pieces.size(), std::vector<PieceWork>(pipeline_.size()));
    for (std::size_t c = 0; c < pipeline_.size(); ++c) send(c, inputs, pieces, wanted, work);

    const std::size_t vocab = config_.vocab_size;
    const std::size_t n_logits = wanted.logits;
    const std::size_t parts = (wanted.choose ? 0U : 1U) + (wanted.mtp ? 1U : 0U);
    make_room(logits_, parts * n_logits * vocab * sizeof(float));
    if (wanted.choose) make_room(chosen_, n_logits * sizeof(ops::Sampled));
    auto* const host = reinterpret_cast<float*>(logits_.data());
    float* const host_mtp = host + (wanted.choose ? 0 : n_logits * vocab);
    auto* const chosen = reinterpret_cast<ops::Sampled*>(chosen_.data());
    std::size_t first = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      DeviceLogits& to = work[i].back().logits;
      to.host = host + first * vocab;
      to.mtp_host = host_mtp + first * vocab;
      to.chosen = wanted.choose ? chosen + first : nullptr;
      first += to.n;
      const StepPiece& p = pieces[i];
      const StepForm form = {p.segments.size(),
                             rows,
                             n_logits,
                             p.mtp_segments.size(),
                             p.mtp_rows,
                             wanted.choose ? wanted.mask_words : 0,
                             wanted.mtp,
                             wanted.choose,
                             work[i][0].rows.longest};
      pipeline_.queue(i, pieces.size() == 1 ? &form : nullptr, work[i]);
    }
    if (!pipeline_.wait()) return make_error(Code::kUnavailable, pipeline_.problem());
    learn(rows);
    StepOutput out;
    if (wanted.choose) {
      out.chosen = {chosen, n_logits};
    } else {
      out.logits = {host, n_logits * vocab};
    }
    if (wanted.mtp) {
      // The pair before the first token has none: not what the head makes of zeros.
      float* row = host_mtp;
      for (const StepPiece& p : pieces) {
        for (const std::int32_t at : p.mtp_logit_rows) {
          if (at < 0) std::fill_n(row, vocab, 0.0F);
          row += vocab;
        }
      }
      out.mtp_logits = {host_mtp, n_logits * vocab};
    }
    return out;
  }

  DeviceLayout layout_;
  ModelConfig config_;
  StateShape shape_;
  std::uint64_t fingerprint_;
  DeviceOptions options_;
  std::uint64_t weights_bytes_ = 0;
  Pipeline pipeline_;
  DeviceBuffer logits_, chosen_;  // pinned
  DevicePages memory_;
  PageMaker pages_;
  DeviceDrafts drafts_;
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
  AMBIT_TRY(layout, lay_out(library.cards, checkpoint.config,
                            weight_sizes(checkpoint.config, weights, drafts), shape, options));
  auto model = std::make_unique<DeviceModel>(library, layout, std::move(checkpoint.config),
                                             fingerprint, shape, options);
  if (auto done = model->upload(weights, drafts); !done) return done.error();
  return std::unique_ptr<StepModel>(std::move(model));
}

}  // namespace ambit::inference
