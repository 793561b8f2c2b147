#include "inference/weights/binding.h"

#include <bit>
#include <cstring>

#include "inference/ops/block_formats.h"

namespace ambit::inference {
namespace {

using std::size_t;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string s = "[";
  for (size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
  return s + "]";
}

// Looks tensors up and remembers the first problem; after one everything comes back empty.
class Binder {
 public:
  Binder(const TensorMap& tensors, ModelWeights& out) : tensors_(tensors), out_(out) {}
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] bool has(const std::string& name) const { return find(name) != nullptr; }

  // `name`.weight with its .scale, or a plain tensor when `name` itself exists.
  ops::Matrix matrix(const std::string& name, size_t rows, size_t cols) {
    ops::Matrix m;
    const std::string weight = has(name) ? name : name + ".weight";
    const Tensor* t = tensor(weight);
    if (t == nullptr) return m;
    m.rows = rows;
    m.cols = cols;
    m.data = t->data.data();
    const bool fp4 = t->type == TensorType::kI8 || t->type == TensorType::kU8;
    if (!expect_shape(weight, *t, {rows, fp4 ? cols / 2 : cols})) return m;
    switch (t->type) {
      case TensorType::kF32:
        m.type = ops::MatrixType::kF32;
        break;
      case TensorType::kBf16:
        m.type = ops::MatrixType::kBf16;
        break;
      case TensorType::kF16:
        m.type = ops::MatrixType::kF16;
        break;
      case TensorType::kBlocks:
        m.type = ops::MatrixType::kBlocks;
        m.blocks = t->blocks;
        break;
      case TensorType::kF8E4m3:
        m.type = ops::MatrixType::kFp8Block128;
        m.scales = scale(name + ".scale", (rows + 127) / 128, (cols + 127) / 128);
        break;
      case TensorType::kI8:
      case TensorType::kU8:
        m.type = ops::MatrixType::kFp4Group32;
        if (cols % 32 != 0) fail(weight, "is FP4 but its columns are no multiple of 32");
        m.scales = scale(name + ".scale", rows, cols / 32);
        break;
      default:
        fail(weight, "has dtype " + std::string(dtype_name(*t)) + ", which no matrix can have");
    }
    if (reinterpret_cast<std::uintptr_t>(m.data) % alignof(float) != 0 &&
        m.type == ops::MatrixType::kF32) {
      m.data = reinterpret_cast<const std::byte*>(copy(weight, *t, rows * cols));
    }
    return m;
  }

  // A vector (or small table) of n values as fp32.
  const float* vector(const std::string& name, const std::vector<size_t>& shape) {
    const Tensor* t = tensor(name);
    if (t == nullptr || !expect_shape(name, *t, shape)) return nullptr;
    size_t n = 1;
    for (const size_t d : shape) n *= d;
    return copy(name, *t, n);
  }

  const std::int32_t* expert_table(const std::string& name, size_t vocab, size_t k,
                                   size_t experts) {
    const Tensor* t = tensor(name);
    if (t == nullptr || !expect_shape(name, *t, {vocab, k})) return nullptr;
    auto& table = out_.tables.emplace_back(vocab * k);
    for (size_t i = 0; i < table.size(); ++i) {
      std::int64_t v = -1;
      if (t->type == TensorType::kI64) {
        std::memcpy(&v, t->data.data() + i * 8, 8);
      } else if (t->type == TensorType::kI32) {
        std::int32_t w = 0;
        std::memcpy(&w, t->data.data() + i * 4, 4);
        v = w;
      }
      if (v < 0 || v >= static_cast<std::int64_t>(experts)) {
        fail(name, "names an expert that does not exist");
        return nullptr;
      }
      table[i] = static_cast<std::int32_t>(v);
    }
    return table.data();
  }

 private:
  [[nodiscard]] const Tensor* find(const std::string& name) const {
    const auto it = tensors_.find(name);
    return it == tensors_.end() ? nullptr : &it->second;
  }
  const Tensor* tensor(const std::string& name) {
    const Tensor* t = find(name);
    if (t == nullptr) fail(name, "is missing");
    return t;
  }
  const std::uint8_t* scale(const std::string& name, size_t rows, size_t cols) {
    const Tensor* t = tensor(name);
    if (t == nullptr || !expect_shape(name, *t, {rows, cols})) return nullptr;
    if (bytes_of(t->type) != 1) {
      fail(name, "has dtype " + std::string(dtype_name(*t)) + ", not F8_E8M0");
      return nullptr;
    }
    return reinterpret_cast<const std::uint8_t*>(t->data.data());
  }
  bool expect_shape(const std::string& name, const Tensor& t, const std::vector<size_t>& shape) {
    std::vector<std::int64_t> want(shape.begin(), shape.end());
    if (t.shape == want) return true;
    fail(name, "has shape " + shape_text(t.shape) + ", but the configuration asks for " +
                   shape_text(want));
    return false;
  }
  const float* copy(const std::string& name, const Tensor& t, size_t n) {
    auto& v = out_.floats.emplace_back(n);
    if (t.type == TensorType::kF32) {
      std::memcpy(v.data(), t.data.data(), n * 4);
    } else if (t.type == TensorType::kBf16) {
      for (size_t i = 0; i < n; ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, t.data.data() + i * 2, 2);
        v[i] = std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
      }
    } else if (t.type == TensorType::kF16) {
      for (size_t i = 0; i < n; ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, t.data.data() + i * 2, 2);
        v[i] = ops::half_value(bits);
      }
    } else if (t.type == TensorType::kBlocks) {
      ops::unpack_blocks(t.blocks, reinterpret_cast<const std::uint8_t*>(t.data.data()), n,
                         v.data());
    } else {
      fail(name, "has dtype " + std::string(dtype_name(t)) + ", which no vector can have");
    }
    return v.data();
  }
  void fail(const std::string& name, const std::string& why) {
    if (!error_) {
      error_ = make_error(Code::kCorrupt, "tensor " + name + " " + why +
                                              "; the checkpoint does not fit its config.json");
    }
  }

  const TensorMap& tensors_;
  ModelWeights& out_;
  std::optional<Error> error_;
};

HcWeights bind_hc(Binder& b, const std::string& name, size_t outs, size_t scales, size_t wide) {
  HcWeights w;
  w.fn = b.matrix(name + "_fn", outs, wide);
  w.base = b.vector(name + "_base", {outs});
  w.scale = b.vector(name + "_scale", {scales});
  return w;
}

CompressorWeights bind_compressor(Binder& b, const std::string& at, size_t dim, size_t ratio,
                                  size_t hidden) {
  const size_t width = ratio == 4 ? 2 * dim : dim;
  CompressorWeights w;
  w.wkv = b.matrix(at + "wkv", width, hidden);
  w.wgate = b.matrix(at + "wgate", width, hidden);
  w.ape = b.vector(at + "ape", {ratio, width});
  w.norm = b.vector(at + "norm.weight", {dim});
  return w;
}

AttentionWeights bind_attention(Binder& b, const std::string& at, const ModelConfig& c,
                                size_t ratio) {
  const size_t wide = c.num_attention_heads * c.head_dim;
  AttentionWeights w;
  w.wq_a = b.matrix(at + "wq_a", c.q_lora_rank, c.hidden_size);
  w.q_norm = b.vector(at + "q_norm.weight", {c.q_lora_rank});
  w.wq_b = b.matrix(at + "wq_b", wide, c.q_lora_rank);
  w.wkv = b.matrix(at + "wkv", c.head_dim, c.hidden_size);
  w.kv_norm = b.vector(at + "kv_norm.weight", {c.head_dim});
  w.wo_a = b.matrix(at + "wo_a", c.o_groups * c.o_lora_rank, wide / c.o_groups);
  w.wo_b = b.matrix(at + "wo_b", c.hidden_size, c.o_groups * c.o_lora_rank);
  w.sink = b.vector(at + "attn_sink", {c.num_attention_heads});
  if (ratio == 0) return w;
  w.compressor = bind_compressor(b, at + "compressor.", c.head_dim, ratio, c.hidden_size);
  if (ratio == 4) {
    IndexerWeights i;
    i.wq_b = b.matrix(at + "indexer.wq_b", c.index_n_heads * c.index_head_dim, c.q_lora_rank);
    i.weights_proj = b.matrix(at + "indexer.weights_proj", c.index_n_heads, c.hidden_size);
    i.compressor =
        bind_compressor(b, at + "indexer.compressor.", c.index_head_dim, ratio, c.hidden_size);
    w.indexer = i;
  }
  return w;
}

ExpertWeights bind_expert(Binder& b, const std::string& at, const ModelConfig& c) {
  ExpertWeights w;
  w.w1 = b.matrix(at + "w1", c.moe_intermediate_size, c.hidden_size);
  w.w3 = b.matrix(at + "w3", c.moe_intermediate_size, c.hidden_size);
  w.w2 = b.matrix(at + "w2", c.hidden_size, c.moe_intermediate_size);
  return w;
}

BlockWeights bind_block(Binder& b, const std::string& at, const ModelConfig& c, size_t ratio,
                        bool hash) {
  const size_t n = c.hc_mult;
  const size_t wide = n * c.hidden_size;
  BlockWeights w;
  w.attn_norm = b.vector(at + "attn_norm.weight", {c.hidden_size});
  w.ffn_norm = b.vector(at + "ffn_norm.weight", {c.hidden_size});
  w.hc_attn = bind_hc(b, at + "hc_attn", (2 + n) * n, 3, wide);
  w.hc_ffn = bind_hc(b, at + "hc_ffn", (2 + n) * n, 3, wide);
  w.attn = bind_attention(b, at + "attn.", c, ratio);
  MoeWeights& m = w.ffn;
  m.gate = b.matrix(at + "ffn.gate", c.n_routed_experts, c.hidden_size);
  if (hash) {
    m.experts_of_token = b.expert_table(at + "ffn.gate.tid2eid", c.vocab_size,
                                        c.num_experts_per_tok, c.n_routed_experts);
  } else {
    m.bias = b.vector(at + "ffn.gate.bias", {c.n_routed_experts});
  }
  for (size_t e = 0; e < c.n_routed_experts && !b.error(); ++e) {
    m.experts.push_back(bind_expert(b, at + "ffn.experts." + std::to_string(e) + ".", c));
  }
  m.shared = bind_expert(b, at + "ffn.shared_experts.", c);
  return w;
}

MtpWeights bind_mtp(Binder& b, const ModelConfig& c) {
  MtpWeights m;
  m.block = bind_block(b, "mtp.0.", c, 0, false);
  m.e_proj = b.matrix("mtp.0.e_proj", c.hidden_size, c.hidden_size);
  m.h_proj = b.matrix("mtp.0.h_proj", c.hidden_size, c.hidden_size);
  m.enorm = b.vector("mtp.0.enorm.weight", {c.hidden_size});
  m.hnorm = b.vector("mtp.0.hnorm.weight", {c.hidden_size});
  m.norm = b.vector("mtp.0.norm.weight", {c.hidden_size});
  m.hc_head = bind_hc(b, "mtp.0.hc_head", c.hc_mult, 1, c.hc_mult * c.hidden_size);
  return m;
}

DsparkWeights bind_dspark(Binder& b, const ModelConfig& c) {
  DsparkWeights w;
  w.main_proj =
      b.matrix("mtp.0.main_proj", c.hidden_size, c.dspark_target_layer_ids.size() * c.hidden_size);
  w.main_norm = b.vector("mtp.0.main_norm.weight", {c.hidden_size});
  std::string at;
  for (size_t s = 0; s < c.draft_blocks() && !b.error(); ++s) {
    at = "mtp." + std::to_string(s) + ".";
    w.stages.push_back(bind_block(b, at, c, 0, false));
  }
  // The last stage holds the head.
  w.hc_head = bind_hc(b, at + "hc_head", c.hc_mult, 1, c.hc_mult * c.hidden_size);
  w.norm = b.vector(at + "norm.weight", {c.hidden_size});
  w.markov_in = b.matrix(at + "markov_head.markov_w1", c.vocab_size, c.dspark_markov_rank);
  w.markov_out = b.matrix(at + "markov_head.markov_w2", c.vocab_size, c.dspark_markov_rank);
  w.confidence =
      b.vector(at + "confidence_head.proj.weight", {1, c.hidden_size + c.dspark_markov_rank});
  return w;
}

}  // namespace

Result<ModelWeights> bind_weights(const Checkpoint& checkpoint) {
  const ModelConfig& c = checkpoint.config;
  ModelWeights w;
  w.files = checkpoint.files;
  w.bytes = checkpoint.bytes;
  Binder b(checkpoint.tensors, w);
  const size_t n = c.hc_mult;
  const size_t wide = n * c.hidden_size;
  w.embed = b.matrix("embed", c.vocab_size, c.hidden_size);
  w.head = b.matrix("head", c.vocab_size, c.hidden_size);
  w.norm = b.vector("norm.weight", {c.hidden_size});
  w.hc_head = bind_hc(b, "hc_head", n, 1, wide);
  for (size_t l = 0; l < c.num_hidden_layers && !b.error(); ++l) {
    w.layers.push_back(bind_block(b, "layers." + std::to_string(l) + ".", c,
                                  static_cast<size_t>(c.ratio(l)), c.hash_routed(l)));
  }
  if (!b.error() && b.has("mtp.0.main_proj.weight")) {
    if (c.dspark_block_size == 0) {
      return make_error(
          Code::kCorrupt,
          "the checkpoint has DSpark blocks (mtp.0.main_proj), but its config.json "
          "has no dspark_block_size; take the config.json that came with the weights");
    }
    w.dspark = bind_dspark(b, c);
  } else if (!b.error() && b.has("mtp.0.enorm.weight")) {
    w.mtp.push_back(bind_mtp(b, c));
  }
  if (b.error()) return *b.error();
  return w;
}

}  // namespace ambit::inference
