#include "inference/device/weights.h"

#include <new>
#include <string>

#include "inference/kv/state_shape.h"

namespace ambit::inference {
namespace {

using ops::Matrix;
using ops::MatrixType;

// Walks over every matrix but those of routed experts, and every vector, of a checkpoint.
template <class OnMatrix, class OnVector, class OnTable>
class Walk {
 public:
  Walk(const ModelConfig& c, OnMatrix matrix, OnVector vector, OnTable table)
      : c_(c), matrix_(matrix), vector_(vector), table_(table) {}

  // first_layer: that w.layers begins with.
  void model(ModelWeights& w, std::size_t first_layer) {
    matrix_(w.embed);
    matrix_(w.head);
    vector_(w.norm, c_.hidden_size);
    streams(w.hc_head, c_.hc_mult);
    for (std::size_t l = 0; l < w.layers.size(); ++l) block(w.layers[l], c_.ratio(first_layer + l));
    if (w.dspark) dspark(*w.dspark);
    for (MtpWeights& m : w.mtp) {
      block(m.block, 0);
      matrix_(m.e_proj);
      matrix_(m.h_proj);
      for (const float** v : {&m.enorm, &m.hnorm, &m.norm}) vector_(*v, c_.hidden_size);
      streams(m.hc_head, c_.hc_mult);
    }
  }

 private:
  void dspark(DsparkWeights& w) {
    matrix_(w.main_proj);
    vector_(w.main_norm, c_.hidden_size);
    for (BlockWeights& b : w.stages) block(b, 0);
    streams(w.hc_head, c_.hc_mult);
    vector_(w.norm, c_.hidden_size);
    matrix_(w.markov_in);
    matrix_(w.markov_out);
    w.confidence = nullptr;  // the host has it
  }
  void streams(HcWeights& hc, std::size_t outs) {
    matrix_(hc.fn);
    vector_(hc.base, outs);
    vector_(hc.scale, outs == c_.hc_mult ? 1 : 3);
  }
  void compressor(CompressorWeights& w, std::size_t ratio, std::size_t dim) {
    matrix_(w.wkv);
    matrix_(w.wgate);
    vector_(w.ape, ratio * w.wkv.rows);
    vector_(w.norm, dim);
  }
  void block(BlockWeights& b, std::int32_t ratio) {
    const std::size_t outs = (2 + c_.hc_mult) * c_.hc_mult;
    vector_(b.attn_norm, c_.hidden_size);
    vector_(b.ffn_norm, c_.hidden_size);
    streams(b.hc_attn, outs);
    streams(b.hc_ffn, outs);
    AttentionWeights& a = b.attn;
    for (Matrix* m : {&a.wq_a, &a.wq_b, &a.wkv, &a.wo_a, &a.wo_b}) matrix_(*m);
    vector_(a.q_norm, c_.q_lora_rank);
    vector_(a.kv_norm, c_.head_dim);
    vector_(a.sink, c_.num_attention_heads);
    if (a.compressor) compressor(*a.compressor, static_cast<std::size_t>(ratio), c_.head_dim);
    if (a.indexer) {
      matrix_(a.indexer->wq_b);
      matrix_(a.indexer->weights_proj);
      compressor(a.indexer->compressor, static_cast<std::size_t>(ratio), c_.index_head_dim);
    }
    MoeWeights& f = b.ffn;
    matrix_(f.gate);
    if (f.bias != nullptr) vector_(f.bias, c_.n_routed_experts);
    if (f.experts_of_token != nullptr) {
      table_(f.experts_of_token, c_.vocab_size * c_.num_experts_per_tok);
    }
    for (Matrix* m : {&f.shared.w1, &f.shared.w3, &f.shared.w2}) matrix_(*m);
  }

  const ModelConfig& c_;
  OnMatrix matrix_;
  OnVector vector_;
  OnTable table_;
};

class Uploader {
 public:
  Uploader(Device& device, DeviceWeights& out) : device_(device), out_(out) {}

  template <class T>
  const T* put(const T* from, std::size_t bytes) {
    if (from == nullptr || bytes == 0) return nullptr;
    const DeviceBuffer& buffer = out_.buffers.emplace_back(device_, bytes);
    device_.copy(buffer.data(), from, bytes);
    out_.device_bytes += bytes;
    return reinterpret_cast<const T*>(buffer.data());
  }
  void matrix(Matrix& m) {
    m = device_form(m, room_);
    m.data = put(m.data, matrix_data_bytes(m));
    m.scales = put(m.scales, matrix_scale_bytes(m));
  }

 private:
  Device& device_;
  DeviceWeights& out_;
  std::vector<std::uint8_t> room_;
};

// The slots of a share, pointing where those of w point.
ModelWeights slots_of(const ModelWeights& w, bool drafts, const WeightShare& share) {
  ModelWeights out;
  const auto at = [&](std::size_t l) { return w.layers.begin() + static_cast<std::ptrdiff_t>(l); };
  out.layers.assign(at(share.layers.first), at(share.layers.end));
  if (share.first || (share.last && drafts)) out.embed = w.embed;
  if (!share.last) return out;
  out.head = w.head;
  out.norm = w.norm;
  out.hc_head = w.hc_head;
  if (drafts) {
    out.mtp = w.mtp;
    out.dspark = w.dspark;
  }
  return out;
}

WeightShare all_of(const ModelWeights& w) {
  return {.layers = {0, w.layers.size()}};
}

// The experts of all blocks, in the order of the state's layers.
std::vector<const std::vector<ExpertWeights>*> experts_of(const ModelWeights& w) {
  std::vector<const std::vector<ExpertWeights>*> out;
  for (const BlockWeights& b : w.layers) out.push_back(&b.ffn.experts);
  for (const MtpWeights& m : w.mtp) out.push_back(&m.block.ffn.experts);
  if (w.dspark) {
    for (const BlockWeights& b : w.dspark->stages) out.push_back(&b.ffn.experts);
  }
  return out;
}

// The name of a format that no kernel reads, "" else.
std::string unread_format(const Matrix& m) {
  if (m.type == MatrixType::kF16) return "F16";
  if (m.type != MatrixType::kBlocks || m.blocks == ops::BlockFormat::kMxfp4) return "";
  return std::string(ops::to_string(m.blocks));
}

// What no kernel reads among all matrices, "" when all can be read. Experts lie in slots of one
// size, so all have one format.
std::string unread_matrices(const ModelConfig& c, const ModelWeights& weights, bool drafts) {
  std::string format;
  const auto look = [&](const Matrix& m) {
    if (format.empty()) format = unread_format(m);
  };
  ModelWeights slots = slots_of(weights, drafts, all_of(weights));
  Walk walk(
      c, look, [](const float*, std::size_t) {}, [](const std::int32_t*, std::size_t) {});
  walk.model(slots, 0);
  const ExpertWeights& first = weights.layers[0].ffn.experts[0];
  bool same = true;
  for (const auto* experts : experts_of(slots)) {
    for (const ExpertWeights& e : *experts) {
      for (const auto m : {&ExpertWeights::w1, &ExpertWeights::w3, &ExpertWeights::w2}) {
        look(e.*m);
        same = same && (e.*m).type == (first.*m).type && (e.*m).blocks == (first.*m).blocks;
      }
    }
  }
  if (!format.empty()) {
    return format + " matrices (of the formats of GGUF files they read MXFP4, BF16 and F32)";
  }
  // An embedding is looked up, not multiplied.
  const auto looked_up = [](const Matrix& m) {
    return m.type == MatrixType::kF32 || m.type == MatrixType::kBf16;
  };
  if (!looked_up(slots.embed) || (slots.dspark && !looked_up(slots.dspark->markov_in))) {
    return "embeddings other than BF16 and F32";
  }
  for (const BlockWeights& b : slots.layers) {
    if (b.hc_attn.fn.type != MatrixType::kF32 || b.hc_ffn.fn.type != MatrixType::kF32) {
      return "hyper-connections other than F32";
    }
  }
  return same ? "" : "two number formats of experts";
}

std::string gigabytes(std::uint64_t bytes) {
  const std::uint64_t tenths = bytes / 100'000'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GB";
}

}  // namespace

Result<void> check_device_model(const ModelConfig& c, const ModelWeights& weights, bool drafts) {
  namespace cuda = ops::cuda;
  const std::size_t rope = c.qk_rope_head_dim;
  const char* why = nullptr;
  if (c.hc_mult != cuda::kStreams) why = "hc_mult other than 4";
  if (c.head_dim > cuda::kMaxHeadDim || c.head_dim % 4 != 0) why = "this head_dim";
  if (c.index_head_dim > cuda::kMaxIndexDim || c.index_head_dim % 32 != 0) {
    why = "this index_head_dim";
  }
  if (rope % 4 != 0 || (c.head_dim - rope) % 64 != 0) why = "this qk_rope_head_dim";
  if (c.index_n_heads > 64) why = "this index_n_heads";
  if (c.n_routed_experts > 1024 || c.num_experts_per_tok > cuda::kMaxPerToken) {
    why = "so many experts";
  }
  // A group's rows begin with a scale block of their own.
  const bool blocks = weights.layers[0].attn.wo_a.type == MatrixType::kFp8Block128;
  if (c.o_lora_rank % (blocks ? 128 : 32) != 0) why = "this o_lora_rank";
  if (c.hidden_size % 8 != 0 || c.hidden_size > 11264) why = "this hidden_size";
  for (const std::int32_t ratio : c.compress_ratios) {
    if (ratio != 0 && kPageTokens % ratio != 0) why = "these compress_ratios";
  }
  if (weights.dspark && c.dspark_markov_rank % 8 != 0) why = "this dspark_markov_rank";
  const std::string unread = unread_matrices(c, weights, drafts);
  if (!unread.empty()) why = unread.c_str();
  if (why == nullptr) return {};
  return make_error(Code::kUnsupported, std::string("the CUDA kernels do not serve ") + why +
                                            "; set engine.device = \"cpu\"");
}

WeightSizes weight_sizes(const ModelConfig& config, const ModelWeights& weights, bool drafts) {
  std::uint64_t sum = 0;
  const auto add = [&](const Matrix& m) {
    Matrix stored = m;  // as device_form() makes it
    if (unpacks(m)) stored.type = MatrixType::kFp4Group32;
    sum += matrix_data_bytes(stored) + matrix_scale_bytes(stored);
  };
  const auto bytes_of = [&](const WeightShare& share, bool with_drafts) {
    sum = 0;
    ModelWeights slots = slots_of(weights, with_drafts, share);
    Walk walk(
        config, add, [&](const float* v, std::size_t n) { sum += v == nullptr ? 0 : 4 * n; },
        [&](const std::int32_t*, std::size_t n) { sum += 4 * n; });
    walk.model(slots, share.layers.first);
    for (const auto* experts : experts_of(slots)) {
      const ExpertWeights& e = experts->front();
      const std::uint64_t before = sum;
      for (const auto m : {&ExpertWeights::w1, &ExpertWeights::w3, &ExpertWeights::w2}) add(e.*m);
      sum += (sum - before) * (experts->size() - 1);
    }
    return sum;
  };
  WeightSizes out;
  for (std::size_t l = 0; l < weights.layers.size(); ++l) {
    out.layers.push_back(bytes_of({.layers = {l, l + 1}, .first = false, .last = false}, false));
  }
  out.first = bytes_of({.layers = {}, .first = true, .last = false}, false);
  out.last = bytes_of({.layers = {}, .first = false, .last = true}, drafts);
  if (drafts) {
    out.last_alone = out.first;
    out.last -= out.first;
  }
  return out;
}

Result<DeviceWeights> upload_weights(Device& device, const ModelConfig& config,
                                     const ModelWeights& weights, bool drafts,
                                     const WeightShare& share, std::uint64_t budget_bytes,
                                     const ExpertSetup& setup) {
  DeviceWeights out;
  out.share = share;
  out.slots = slots_of(weights, drafts, share);
  try {
    Uploader up(device, out);
    Walk walk(
        config, [&](Matrix& m) { up.matrix(m); },
        [&](const float*& v, std::size_t n) { v = up.put(v, n * sizeof(float)); },
        [&](const std::int32_t*& t, std::size_t n) { t = up.put(t, n * sizeof(std::int32_t)); });
    walk.model(out.slots, share.layers.first);
    if (out.device_bytes > budget_bytes) throw std::bad_alloc();
    out.experts = std::make_unique<ExpertStore>(device, experts_of(out.slots),
                                                budget_bytes - out.device_bytes, setup);
  } catch (const std::bad_alloc&) {
    return make_error(Code::kResourceExhausted,
                      "the model's " + gigabytes(weights.bytes) +
                          (share.first && share.last ? "" : ", split over the cards,") +
                          " do not fit the graphics card (" + gigabytes(budget_bytes) +
                          " for weights) and pinned host memory; `ambit plan` says what would");
  }
  if (!device.wait()) return make_error(Code::kUnavailable, device.problem());
  return out;
}

}  // namespace ambit::inference
