// GGUF files on the card: what the kernels can read computes the golden logits, what they cannot is
// refused by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "inference/device/device_model.h"
#include "inference/weights/convert.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;

TEST(CudaGguf, Mxfp4AndBf16ComputeTheGoldenLogits) {
  const auto folder = golden::folder("q-c");
  if (!folder) GTEST_SKIP() << "golden checkpoint q-c is not here";
  const fs::path work =
      fs::temp_directory_path() / ("ambit-cuda-gguf-" + std::to_string(::getpid()));
  fs::create_directories(work);
  const auto there = convert_checkpoint(*folder, work / "m.gguf", Container::kGguf);
  ASSERT_TRUE(there) << there.error().message;
  DeviceOptions options;
  options.numerics = Numerics::kPlain;
  options.state_bytes = std::uint64_t{256} << 20U;
  auto model = open_device_model(work / "m.gguf", options);
  ASSERT_TRUE(model) << model.error().message;
  auto vectors = Safetensors::open(*folder / "vectors.safetensors");
  ASSERT_TRUE(vectors);
  const auto ids = golden::ints(*vectors, "S5/ids");
  const auto rows = golden::ints(*vectors, "S5/logit_pos");
  const auto want = golden::floats(*vectors, "S5/logits");
  const std::size_t vocab = (*model)->config().vocab_size;
  KvCache cache((*model)->pages());
  const StepInput in{.cache = &cache, .ids = ids};
  const auto out = (*model)->step({&in, 1});
  ASSERT_TRUE(out) << out.error().message;
  ASSERT_EQ(want.size(), rows.size() * vocab);
  double largest = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const float* got = out->logits.data() + static_cast<std::size_t>(rows[r]) * vocab;
    for (std::size_t i = 0; i < vocab; ++i) {
      const double e = std::fabs(static_cast<double>(got[i]) - want[r * vocab + i]);
      largest = std::isnan(e) ? INFINITY : std::max(largest, e);
    }
  }
  std::printf("q-c as GGUF, S5: largest difference %.2e\n", largest);
  EXPECT_LT(largest, 2e-4);
  fs::remove_all(work);
}

TEST(CudaGguf, AFormatThatNoKernelReadsIsRefusedByName) {
  const auto model =
      open_device_model(AMBIT_SOURCE_DIR "/tests/golden/gguf/small.gguf", DeviceOptions{});
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kUnsupported);
  EXPECT_THAT(model.error().message,
              ::testing::HasSubstr("matrices (of the formats of GGUF files they read MXFP4"));
  EXPECT_THAT(model.error().message, ::testing::HasSubstr("engine.device = \"cpu\""));
  std::printf("%s\n", model.error().message.c_str());
}

}  // namespace
}  // namespace ambit::inference
