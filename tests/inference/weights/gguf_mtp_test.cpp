// The MTP block of GGUF models: the file that llama.cpp's converter makes, the same block inside of
// the model's file, ds4's form, and files that are none of them.
#include "inference/weights/gguf_mtp.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "gtest/gtest.h"
#include "inference/model/model.h"
#include "inference/weights/checkpoint.h"
#include "inference/weights/convert.h"
#include "inference/weights/gguf_metadata.h"
#include "inference/weights/gguf_sidecar.h"

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;

class GgufMtp : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("ambit-mtp-" + std::to_string(::getpid()));
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    const auto done = convert_checkpoint(kFrom, dir_ / "V4-F32.gguf", Container::kGguf);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->left_out, "");
    EXPECT_EQ(done->bytes, fs::file_size(dir_ / "V4-F32.gguf") + fs::file_size(mtp()));
    layers_ = checkpoint(kFrom).config.num_hidden_layers;
  }
  void TearDown() override { fs::remove_all(dir_); }

  [[nodiscard]] fs::path mtp() const { return dir_ / "V4-F32-mtp.gguf"; }
  [[nodiscard]] std::string block() const { return "blk." + std::to_string(layers_) + "."; }
  static Checkpoint checkpoint(const fs::path& path) {
    auto c = open_checkpoint(path);
    if (!c) throw std::runtime_error(c.error().message);
    return std::move(*c);
  }
  static std::string error_of(const fs::path& path) {
    const auto model = Model::open(path, {});
    return model ? "" : model.error().message;
  }
  // The block's logits; empty when the model has none.
  static std::vector<float> drafts(const fs::path& path) {
    const auto model = Model::open(path, {.numerics = Numerics::kPlain, .threads = 1});
    if (!model) {
      ADD_FAILURE() << model.error().message;
      return {};
    }
    std::vector<TokenId> ids(40);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<TokenId>(i * 37 % 300);
    KvCache cache((*model)->pages());
    const StepInput in{.cache = &cache, .ids = ids, .mtp_logits = (*model)->has_mtp()};
    const auto out = (*model)->forward({&in, 1});
    return {out.mtp_logits.begin(), out.mtp_logits.end()};
  }
  // The model's file and the block's, as one file with other names: name_of gives none to leave one
  // out.
  template <class F>
  void write(const fs::path& to, GgufContent content, bool with_model, F name_of) {
    GgufWriter w;
    const Checkpoint c = checkpoint(kFrom);
    if (content == GgufContent::kMtp) {
      ASSERT_TRUE(write_gguf_metadata(c.config, kFrom, content, w));
    } else {
      w.text("general.architecture", kGgufArch);
    }
    const auto model = Gguf::open(dir_ / "V4-F32.gguf").value();
    const auto draft = Gguf::open(mtp()).value();
    const auto add = [&](const std::string& name, const Tensor& t) {
      if (name.empty()) return;
      const GgufType type = t.type == TensorType::kI32 ? GgufType::kI32 : GgufType::kF32;
      w.add({.name = name,
             .type = type,
             .shape = t.shape,
             .parts = {[&t] {
               return std::string(reinterpret_cast<const char*>(t.data.data()), t.data.size());
             }}});
    };
    if (with_model) {
      for (const auto& [name, t] : model.tensors()) add(name, t);
    }
    for (const auto& [name, t] : draft.tensors()) add(name_of(name), t);
    const auto done = w.write(to);
    ASSERT_TRUE(done) << done.error().message;
  }
  // A name of the block's file, inside of the model's.
  [[nodiscard]] std::string bundled(const std::string& name) const {
    if (name.starts_with("output_hc_")) return block() + "nextn.hc_head_" + name.substr(10);
    return name.starts_with(block()) ? name : "";
  }

  const fs::path kFrom = AMBIT_SOURCE_DIR "/tests/golden/f32-a";
  fs::path dir_;
  std::size_t layers_ = 0;
};

TEST_F(GgufMtp, TheBlocksFileIsAsLlamaCppMakesIt) {
  const auto file = Gguf::open(mtp()).value();
  EXPECT_EQ(*file.get<std::string>("general.architecture"), "deepseek4");
  EXPECT_EQ(*file.get<std::int64_t>("deepseek4.nextn_predict_layers"), 1);
  EXPECT_EQ(*file.get<std::int64_t>("deepseek4.block_count"),
            static_cast<std::int64_t>(layers_) + 1);
  EXPECT_EQ(file.get<std::vector<std::int64_t>>("deepseek4.attention.compress_ratios")->size(),
            layers_ + 1);
  const auto hidden = static_cast<std::int64_t>(checkpoint(kFrom).config.hidden_size);
  for (const char* name : {"nextn.eh_proj.weight", "nextn.enorm.weight", "nextn.hnorm.weight",
                           "nextn.shared_head_norm.weight", "attn_sinks.weight",
                           "ffn_gate_exps.weight", "exp_probs_b.bias"}) {
    EXPECT_TRUE(file.tensors().contains(block() + name)) << name;
  }
  EXPECT_EQ(file.tensors().find(block() + "nextn.eh_proj.weight")->second.shape,
            (std::vector<std::int64_t>{hidden, 2 * hidden}));
  for (const char* name :
       {"token_embd.weight", "output.weight", "output_norm.weight", "output_hc_fn.weight",
        "output_hc_base.weight", "output_hc_scale.weight"}) {
    EXPECT_TRUE(file.tensors().contains(name)) << name;
  }
  for (const auto& [name, tensor] : file.tensors()) {
    EXPECT_TRUE(name.starts_with(block()) || name.find('.') == name.rfind('.')) << name;
  }
}

TEST_F(GgufMtp, EveryPlaceAndSpellingGivesTheSameDrafts) {
  const std::vector<float> want = drafts(kFrom);
  ASSERT_FALSE(want.empty());
  EXPECT_TRUE(drafts(dir_ / "V4-F32.gguf") == want);
  EXPECT_EQ(ModelConfig::parse(*checkpoint_config(dir_ / "V4-F32.gguf"))->draft_blocks(), 1U);
  // llama.cpp's name for the file, of another quantisation than the model's.
  fs::rename(mtp(), dir_ / "mtp-V4-BF16.gguf");
  EXPECT_TRUE(drafts(dir_) == want);
  fs::rename(dir_ / "mtp-V4-BF16.gguf", mtp());
  // In the model's own file.
  fs::create_directories(dir_ / "one");
  write(dir_ / "one/V4.gguf", GgufContent::kMtp, true,
        [&](const std::string& name) { return bundled(name); });
  EXPECT_TRUE(drafts(dir_ / "one/V4.gguf") == want);
  // There without a head it cannot be used; the model can.
  write(dir_ / "one/V4.gguf", GgufContent::kMtp, true, [&](const std::string& name) {
    return name.starts_with("output_hc_") ? "" : bundled(name);
  });
  EXPECT_TRUE(drafts(dir_ / "one/V4.gguf").empty());
  EXPECT_EQ(checkpoint(dir_ / "one/V4.gguf").config.num_hidden_layers, layers_);
  // A copy of the embedding and the head in the block is left alone.
  write(dir_ / "one/V4.gguf", GgufContent::kMtp, true, [&](const std::string& name) {
    if (name == "token_embd.weight") return block() + "nextn.embed_tokens.weight";
    if (name == "output.weight") return block() + "nextn.shared_head_head.weight";
    return bundled(name);
  });
  EXPECT_TRUE(drafts(dir_ / "one/V4.gguf") == want);
}

TEST_F(GgufMtp, ReadsDs4sForm) {
  const std::vector<float> want = drafts(kFrom);
  const fs::path model = dir_ / "ds4/V4-F32.gguf";
  fs::create_directories(dir_ / "ds4");
  fs::copy_file(dir_ / "V4-F32.gguf", model);
  const std::map<std::string, std::string> other = {
      {"nextn.enorm.weight", "enorm.weight"},
      {"nextn.hnorm.weight", "hnorm.weight"},
      {"nextn.shared_head_norm.weight", "norm.weight"},
      {"nextn.eh_proj.weight", "eh_proj.weight"}};
  write(dir_ / "ds4/whole.gguf", GgufContent::kModel, false, [&](const std::string& name) {
    if (name.starts_with("output_hc_")) return "mtp.0.hc_head_" + name.substr(10);
    if (!name.starts_with(block())) return std::string();
    const std::string part = name.substr(block().size());
    const auto it = other.find(part);
    return it == other.end() ? "mtp.0." + part : "";
  });
  // The projections and norms from the released checkpoint, which has them apart.
  const auto file = Gguf::open(dir_ / "ds4/whole.gguf").value();
  const Checkpoint released = checkpoint(kFrom);
  GgufWriter w;
  w.text("general.architecture", kGgufArch);
  const auto add = [&](const std::string& name, const Tensor& t) {
    w.add({.name = name,
           .type = GgufType::kF32,
           .shape = t.shape,
           .parts = {[&t] {
             return std::string(reinterpret_cast<const char*>(t.data.data()), t.data.size());
           }}});
  };
  for (const auto& [name, t] : file.tensors()) add(name, t);
  for (const char* part :
       {"e_proj.weight", "h_proj.weight", "enorm.weight", "hnorm.weight", "norm.weight"}) {
    const std::string name = std::string("mtp.0.") + part;
    add(name, released.tensors.at(name));
  }
  fs::remove(dir_ / "ds4/whole.gguf");
  ASSERT_TRUE(w.write(dir_ / "ds4/V4-MTP-F32.gguf"));
  EXPECT_TRUE(drafts(model) == want);
}

TEST_F(GgufMtp, WhatDoesNotFitIsOneClearLine) {
  const fs::path model = dir_ / "V4-F32.gguf";
  fs::rename(mtp(), dir_ / "good");
  fs::copy_file(model, mtp());
  EXPECT_EQ(
      error_of(model),
      "V4-F32-mtp.gguf: this holds no MTP block of DeepSeek-V4; move it away, or take the MTP "
      "file of this model");
  fs::remove(mtp());
  fs::rename(dir_ / "good", mtp());
  const auto with_shape = [&](std::int64_t cols) {
    GgufWriter w;
    const Checkpoint c = checkpoint(kFrom);
    (void)write_gguf_metadata(c.config, kFrom, GgufContent::kMtp, w);
    const auto zeros = [&w](const std::string& name, std::vector<std::int64_t> shape) {
      const auto n = static_cast<std::size_t>(4 * shape[0] * (shape.size() > 1 ? shape[1] : 1));
      w.add({.name = name, .type = GgufType::kF32, .shape = std::move(shape), .parts = {[n] {
                                                                                return std::string(
                                                                                    n, '\0');
                                                                              }}});
    };
    zeros("token_embd.weight", {2, 2});
    zeros(block() + "nextn.enorm.weight", {2});
    zeros(block() + "nextn.eh_proj.weight", {2, cols});
    EXPECT_TRUE(w.write(dir_ / "V4-F32-mtp.gguf"));
    return error_of(model);
  };
  EXPECT_EQ(with_shape(3),
            "tensor nextn.eh_proj.weight is no two projections side by side; take another file of "
            "the MTP block");
  EXPECT_NE(with_shape(4).find("tensor mtp.0."), std::string::npos);
}

TEST(GgufSidecars, NamesSayWhoseTheyAre) {
  const fs::path dir = fs::temp_directory_path() / ("ambit-sidecars-" + std::to_string(::getpid()));
  const auto found = [&](const std::string& model, const std::vector<std::string>& files,
                         Sidecar kind = Sidecar::kMtp) {
    fs::remove_all(dir);
    fs::create_directories(dir);
    for (const std::string& f : files) std::ofstream(dir / f) << 'x';
    const auto path = find_sidecar(dir / model, kind);
    return path ? path->filename().string() : std::string();
  };
  const std::string model = "V4-Flash-Q4_K.gguf";
  EXPECT_EQ(found(model, {model, "V4-Flash-Q4_K-mtp.gguf"}), "V4-Flash-Q4_K-mtp.gguf");
  EXPECT_EQ(found(model, {model, "mtp-V4-Flash-BF16.gguf"}), "mtp-V4-Flash-BF16.gguf");
  EXPECT_EQ(found(model, {model, "V4-Flash-MTP-Q8_0.gguf"}), "V4-Flash-MTP-Q8_0.gguf");
  EXPECT_EQ(found(model, {"mtp-V4-Flash-Q4_K.gguf", "mtp-V4-Flash-BF16.gguf"}),
            "mtp-V4-Flash-Q4_K.gguf");
  EXPECT_EQ(found(model, {"dspark-V4-Flash-BF16.gguf", "V4-mtp.gguf"}, Sidecar::kDspark),
            "dspark-V4-Flash-BF16.gguf");
  for (const char* other : {"V4-Pro-mtp.gguf", "mtp-V4-Pro-Q4_K.gguf", "mtp-.gguf", "mtp.gguf",
                            "V4-Flash-mtp.txt", "-mtp.gguf", "V4-Flash-smtp.gguf"}) {
    EXPECT_EQ(found(model, {model, other}), "") << other;
  }
  // A model is not its own.
  EXPECT_EQ(found("V4-mtp.gguf", {"V4-mtp.gguf"}), "");
  fs::remove_all(dir);
}

}  // namespace
}  // namespace ambit::inference
