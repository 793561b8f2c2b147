// A checkpoint that went to the other container and back computes the same bits.
#include "inference/weights/convert.h"

#include <unistd.h>

#include <fstream>

#include "gtest/gtest.h"
#include "inference/model/model.h"
#include "inference/weights/gguf_sidecar.h"

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;

class Convert : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("ambit-convert-" + std::to_string(::getpid()));
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  static std::vector<float> logits(const fs::path& path) {
    auto model = Model::open(path, {.numerics = Numerics::kPlain});
    if (!model) {
      ADD_FAILURE() << model.error().message;
      return {};
    }
    std::vector<TokenId> ids(150);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<TokenId>(i * 37 % 300);
    KvCache cache((*model)->pages());
    const StepInput in{.cache = &cache, .ids = ids, .mtp_logits = (*model)->has_mtp()};
    const StepOutput out = (*model)->forward({&in, 1});
    std::vector<float> all(out.logits.begin(), out.logits.end());
    all.insert(all.end(), out.mtp_logits.begin(), out.mtp_logits.end());
    return all;
  }
  fs::path dir_;
};

TEST_P(Convert, ToGgufAndBackChangesNoBit) {
  const fs::path from = std::string(AMBIT_SOURCE_DIR "/tests/golden/") + GetParam();
  const auto want = logits(from);
  ASSERT_FALSE(want.empty());
  const auto there = convert_checkpoint(from, dir_ / "m.gguf", Container::kGguf);
  ASSERT_TRUE(there) << there.error().message;
  const fs::path draft = sidecar_file(dir_ / "m.gguf", Sidecar::kMtp);
  EXPECT_EQ(there->bytes,
            fs::file_size(dir_ / "m.gguf") + (fs::exists(draft) ? fs::file_size(draft) : 0));
  EXPECT_EQ(there->left_out, "");
  EXPECT_EQ(logits(dir_ / "m.gguf"), want);
  const auto back = convert_checkpoint(dir_ / "m.gguf", dir_ / "back", Container::kSafetensors);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(logits(dir_ / "back"), want);
}

TEST_P(Convert, NothingIsOverwritten) {
  const fs::path from = std::string(AMBIT_SOURCE_DIR "/tests/golden/") + GetParam();
  EXPECT_FALSE(convert_checkpoint(from, from, Container::kSafetensors));
  EXPECT_FALSE(convert_checkpoint(AMBIT_SOURCE_DIR "/tests/golden/gguf/small.gguf",
                                  dir_ / "again.gguf", Container::kGguf))
      << "a GGUF file is one already";
}

TEST_P(Convert, NothingIsLeftOfAFailure) {
  const fs::path from = std::string(AMBIT_SOURCE_DIR "/tests/golden/") + GetParam();
  // A file of draft blocks that is another model's is in the way too.
  std::ofstream(dir_ / "m-mtp.gguf") << "x";
  const auto refused = convert_checkpoint(from, dir_ / "m.gguf", Container::kGguf);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("m-mtp.gguf exists"), std::string::npos);
  EXPECT_FALSE(fs::exists(dir_ / "m.gguf"));
  // The model's file can be written, that of its block has a name too long for any file.
  const fs::path half = dir_ / (std::string(248, 'n') + ".gguf");
  EXPECT_FALSE(convert_checkpoint(from, half, Container::kGguf));
  EXPECT_FALSE(fs::exists(half));
  EXPECT_FALSE(convert_checkpoint("/nowhere", dir_ / "n.gguf", Container::kGguf));
  const auto none = convert_checkpoint(dir_, dir_ / "n.gguf", Container::kGguf);
  ASSERT_FALSE(none);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Convert, testing::Values("f32-a", "q-c", "gguf/small"),
                         [](const auto& param) {
                           std::string s = param.param;
                           std::erase_if(s, [](char c) { return c == '-' || c == '/'; });
                           return s;
                         });

}  // namespace
}  // namespace ambit::inference
