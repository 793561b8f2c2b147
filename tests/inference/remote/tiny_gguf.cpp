#include "tests/inference/remote/tiny_gguf.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace ambit::testing {

namespace {

constexpr std::uint32_t kWidth = 64, kHidden = 64, kBytes = 256;
constexpr std::uint64_t kAlign = 32;
const std::vector<std::string> kSpecial = {"<｜begin▁of▁sentence｜>",
                                           "<｜end▁of▁sentence｜>",
                                           "<｜fim▁begin｜>",
                                           "<｜fim▁hole｜>",
                                           "<｜fim▁end｜>",
                                           "<｜User｜>",
                                           "<｜Assistant｜>",
                                           "</think>",
                                           "<think>"};
enum Special : std::uint32_t {
  kBos = kBytes,
  kEos,
  kBegin,
  kHole,
  kEnd,
  kUser,
  kAssistant,
  kEndThink
};

// The characters that byte-level vocabularies write bytes as (GPT-2's table).
std::string byte_token(unsigned byte) {
  unsigned code = byte;
  if (byte < 0x21) {
    code = 0x100 + byte;
  } else if (byte >= 0x7F && byte <= 0xA0) {
    code = 0x121 + (byte - 0x7F);
  } else if (byte == 0xAD) {
    code = 0x143;
  }
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

struct Writer {
  std::string out;
  template <class T>
  void raw(T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(const std::string& s) {
    raw<std::uint64_t>(s.size());
    out += s;
  }
  std::uint64_t keys = 0;
  void u32(const std::string& key, std::uint32_t value) {
    text(key), raw<std::uint32_t>(4), raw(value), ++keys;
  }
  void f32(const std::string& key, float value) {
    text(key), raw<std::uint32_t>(6), raw(value), ++keys;
  }
  void flag(const std::string& key, bool value) {
    text(key), raw<std::uint32_t>(7), raw<std::uint8_t>(value), ++keys;
  }
  void string(const std::string& key, const std::string& value) {
    text(key), raw<std::uint32_t>(8), text(value), ++keys;
  }
  void strings(const std::string& key, const std::vector<std::string>& values) {
    text(key), raw<std::uint32_t>(9), raw<std::uint32_t>(8), raw<std::uint64_t>(values.size());
    for (const auto& value : values) text(value);
    ++keys;
  }
  void i32s(const std::string& key, const std::vector<std::int32_t>& values) {
    text(key), raw<std::uint32_t>(9), raw<std::uint32_t>(5), raw<std::uint64_t>(values.size());
    for (const auto value : values) raw(value);
    ++keys;
  }
};

}  // namespace

void write_tiny_gguf(const std::filesystem::path& path, const std::string& fill,
                     const std::string& loop) {
  const auto vocabulary = static_cast<std::uint32_t>(kBytes + kSpecial.size());
  // What follows each token.
  std::map<std::uint32_t, std::uint32_t> next;
  const auto chain = [&](std::uint32_t from, const std::string& text, std::uint32_t last) {
    for (const char c : text) from = next[from] = static_cast<unsigned char>(c);
    next[from] = last;
  };
  chain(kEnd, fill, kEos);
  chain(kEndThink, loop, static_cast<unsigned char>(loop.front()));

  // Every token its own random direction; the blocks add nothing (their weights are zero), so the
  // likeliest token is the one whose output row points where the last token's embedding does.
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  std::vector<float> embedding(std::size_t{vocabulary} * kWidth), output(embedding.size());
  for (float& x : embedding) x = normal(random);
  for (const auto& [from, to] : next) {
    for (std::uint32_t i = 0; i < kWidth; ++i) {
      output[std::size_t{to} * kWidth + i] += embedding[std::size_t{from} * kWidth + i];
    }
  }

  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::vector<float> data;
  };
  const auto filled = [](std::size_t n, float value) { return std::vector<float>(n, value); };
  std::vector<Tensor> tensors = {{"token_embd.weight", {kWidth, vocabulary}, embedding},
                                 {"output.weight", {kWidth, vocabulary}, output},
                                 {"output_norm.weight", {kWidth}, filled(kWidth, 1)},
                                 {"blk.0.attn_norm.weight", {kWidth}, filled(kWidth, 1)},
                                 {"blk.0.ffn_norm.weight", {kWidth}, filled(kWidth, 1)}};
  for (const char* name :
       {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
    tensors.push_back({std::string("blk.0.") + name + ".weight",
                       {kWidth, kHidden},
                       filled(std::size_t{kWidth} * kHidden, 0)});
  }

  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  for (unsigned byte = 0; byte < kBytes; ++byte) tokens.push_back(byte_token(byte));
  types.assign(kBytes, 1);
  for (const auto& special : kSpecial) tokens.push_back(special), types.push_back(3);

  Writer keys;
  keys.string("general.architecture", "llama");
  keys.string("general.name", "tiny");
  keys.u32("general.file_type", 0);
  keys.u32("llama.context_length", 65536);
  keys.u32("llama.embedding_length", kWidth);
  keys.u32("llama.block_count", 1);
  keys.u32("llama.feed_forward_length", kHidden);
  keys.u32("llama.attention.head_count", 4);
  keys.u32("llama.attention.head_count_kv", 4);
  keys.u32("llama.rope.dimension_count", kWidth / 4);
  keys.f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  keys.u32("llama.vocab_size", vocabulary);
  keys.string("tokenizer.ggml.model", "gpt2");
  keys.string("tokenizer.ggml.pre", "deepseek-v3");
  keys.strings("tokenizer.ggml.tokens", tokens);
  keys.i32s("tokenizer.ggml.token_type", types);
  keys.strings("tokenizer.ggml.merges", {byte_token(0xF8) + " " + byte_token(0xF9)});
  keys.u32("tokenizer.ggml.bos_token_id", kBos);
  keys.u32("tokenizer.ggml.eos_token_id", kEos);
  keys.u32("tokenizer.ggml.fim_pre_token_id", kBegin);
  keys.u32("tokenizer.ggml.fim_suf_token_id", kHole);
  keys.u32("tokenizer.ggml.fim_mid_token_id", kEnd);
  keys.flag("tokenizer.ggml.add_bos_token", true);

  Writer file;
  file.out = "GGUF";
  file.raw<std::uint32_t>(3);
  file.raw<std::uint64_t>(tensors.size());
  file.raw<std::uint64_t>(keys.keys);
  file.out += keys.out;
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    file.text(tensor.name);
    file.raw(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const auto n : tensor.shape) file.raw(n);
    file.raw<std::uint32_t>(0);  // F32
    file.raw(offset);
    offset += (tensor.data.size() * 4 + kAlign - 1) / kAlign * kAlign;
  }
  const auto pad = [&] { file.out.resize((file.out.size() + kAlign - 1) / kAlign * kAlign); };
  pad();
  for (const Tensor& tensor : tensors) {
    file.out.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size() * 4);
    pad();
  }
  std::ofstream(path, std::ios::binary) << file.out;
}

}  // namespace ambit::testing
