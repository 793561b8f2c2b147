// Checkpoints that are not what they claim, and checkpoints under other people's names.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "inference/weights/binding.h"
#include "inference/weights/names.h"
#include "inference/weights/safetensors.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::ordered_json;

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream s;
  s << in.rdbuf();
  return s.str();
}
void write(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}
std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t n = header.size();
  std::string s(8, '\0');
  std::memcpy(s.data(), &n, 8);
  return s + header + data;
}

class Weights : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() /
           ("ambit-weights-" + std::to_string(::getpid()) + "-" +
            testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // The message of opening such a file; empty when it opens.
  std::string problem(const std::string& content) {
    write(dir_ / "model.safetensors", content);
    const auto r = Safetensors::open(dir_);
    return r ? std::string() : r.error().message;
  }
  std::filesystem::path dir_;
};

TEST_F(Weights, RefuseAHostileHeaderWithOneClearLine) {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(problem(file_of(good, "12345678")), "");
  const auto expect = [&](const std::string& content, const std::string& part) {
    const std::string message = problem(content);
    EXPECT_NE(message.find(part), std::string::npos) << "got: " << message << " for " << part;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  };
  const auto header = [](const std::string& entry) {
    return file_of(R"({"a":)" + entry + "}", "12345678");
  };
  expect("", "too short");
  expect("1234567", "too short");
  expect(std::string(8, '\xFF') + "{}", "longer than the file");
  expect(file_of("[1, 2", ""), "not JSON");
  expect(file_of("7", ""), "not JSON");
  expect(file_of(good.substr(0, good.size() - 1), "12345678"), "not JSON");
  expect(file_of(R"({"a":1})", ""), "lacks");
  expect(file_of(good.substr(0, good.size() - 1) + "," + good.substr(1), "12345678"), "twice");
  EXPECT_EQ(
      problem(file_of(R"({"__metadata__":{"a":"[","b":{"c":[1]}},)" + good.substr(1), "12345678")),
      "");
  expect(header(R"({"dtype":"F32","shape":[[2]],"data_offsets":[0,8]})"), "bad shape");
  expect(header(R"({"dtype":"F32","shape":{"x":2},"data_offsets":[0,8]})"), "bad shape");
  expect(header(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})"), "bad data_offsets");
  expect(file_of(std::string(100000, '['), ""), "not JSON");
  expect(file_of(good, "1234567"), "truncated");
  expect(header(R"({"dtype":"F99","shape":[2],"data_offsets":[0,8]})"), "unknown dtype");
  expect(header(R"({"dtype":7,"shape":[2],"data_offsets":[0,8]})"), "unknown dtype");
  expect(header(R"({"dtype":"F32","shape":[2]})"), "lacks");
  expect(header(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), "bad shape");
  expect(header(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})"),
         "bad shape");
  expect(header(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), "outside the file");
  expect(header(R"({"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]})"),
         "outside the file");
  expect(header(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), "does not fit its shape");
  expect(header(R"({"dtype":"F32","shape":[2],"data_offsets":[0.5,8]})"), "bad data_offsets");
}

TEST_F(Weights, ReadAHeaderOfBracketsAndNothingMore) {
  // As long as a header may be: kept as values it would be gigabytes.
  constexpr std::uint64_t kLong = std::uint64_t{256} << 20U;
  struct Case {
    std::string begins, piece, complaint;
  };
  for (const Case& c : {Case{"", "[", "not JSON"}, Case{R"({"a":)", "[", "lacks"},
                        Case{R"({"a":)", R"({"a":)", "nested too deeply"},
                        Case{R"({"__metadata__":)", "[", "nested too deeply"},
                        Case{R"({"a":{"shape":)", "[", "nested too deeply"},
                        Case{R"({"a":{"shape":[0)", ",0", "too many dimensions"}}) {
    const std::uint64_t n = kLong - c.begins.size();
    std::ofstream out(dir_ / "model.safetensors", std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(&kLong), sizeof(kLong));
    out << c.begins;
    std::string some;
    while (some.size() < (1U << 20U)) some += c.piece;
    for (std::uint64_t done = 0; done < n; done += some.size()) {
      out.write(some.data(), static_cast<std::streamsize>(some.size()));
    }
    out.close();
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_SELF, &before);
    const auto r = Safetensors::open(dir_);
    ::getrusage(RUSAGE_SELF, &after);
    ASSERT_FALSE(r);
    EXPECT_NE(r.error().message.find(c.complaint), std::string::npos) << r.error().message;
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10) << c.complaint;  // KiB
  }
}

TEST_F(Weights, ReadShardsThroughTheIndexAndNoFileOutsideTheDirectory) {
  write(dir_ / "one.safetensors",
        file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "A"));
  write(dir_ / "two.safetensors",
        file_of(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "B"));
  const auto index = dir_ / "model.safetensors.index.json";
  write(index, R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  const auto both = Safetensors::open(dir_);
  ASSERT_TRUE(both) << both.error().message;
  ASSERT_NE(both->find("b"), nullptr);
  EXPECT_EQ(static_cast<char>(both->find("b")->data[0]), 'B');
  for (const char* bad :
       {R"({"weight_map":{"a":"../one.safetensors"}})", R"({"weight_map":[]})",
        R"({"weight_map":{"c":"one.safetensors"}})", R"({"weight_map":{"a":"absent.safetensors"}})",
        "{", "7", R"({"weight_map":{"a":["one.safetensors"]}})", R"({"weight_map":{"a":1}})",
        R"({"metadata":[[[[[[[[[[1]]]]]]]]]]})"}) {
    write(index, bad);
    EXPECT_FALSE(Safetensors::open(dir_)) << bad;
  }
}

// A golden checkpoint rewritten: `name` gives each tensor's new name, "" drops it; stack: experts
// as the transformers library keeps them.
void rewrite(const std::filesystem::path& from, const std::filesystem::path& to,
             const std::function<std::string(const std::string&)>& name, bool stack) {
  const auto file = Safetensors::open(from);
  ASSERT_TRUE(file) << file.error().message;
  Json header = Json::object();
  std::string data;
  const auto add = [&](const std::string& as, TensorType type, std::vector<std::int64_t> shape,
                       const std::string& bytes) {
    header[as] = {{"dtype", to_string(type)},
                  {"shape", shape},
                  {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
  };
  const auto bytes = [](const Tensor& t) {
    return std::string(reinterpret_cast<const char*>(t.data.data()), t.data.size());
  };
  for (const auto& [n, t] : file->tensors()) {
    const std::size_t at = n.find(".ffn.experts.");
    if (stack && at != std::string::npos && n.rfind("layers.", 0) == 0) {
      const std::string layer = n.substr(0, at);
      if (n.substr(at) != ".ffn.experts.0.w1.weight") continue;
      std::string gate_up;
      std::string down;
      std::int64_t experts = 0;
      std::vector<std::int64_t> down_shape;
      for (;; ++experts) {
        const std::string e = layer + ".ffn.experts." + std::to_string(experts);
        if (file->find(e + ".w1.weight") == nullptr) break;
        gate_up += bytes(*file->find(e + ".w1.weight")) + bytes(*file->find(e + ".w3.weight"));
        down += bytes(*file->find(e + ".w2.weight"));
        down_shape = file->find(e + ".w2.weight")->shape;
      }
      const std::string stem = "model." + layer + ".mlp.experts.";
      add(stem + "gate_up_proj", t.type, {experts, 2 * t.shape[0], t.shape[1]}, gate_up);
      add(stem + "down_proj", t.type, {experts, down_shape[0], down_shape[1]}, down);
      continue;
    }
    if (const std::string as = name(n); !as.empty()) add(as, t.type, t.shape, bytes(t));
  }
  write(to / "model.safetensors", file_of(header.dump(), data));
  std::filesystem::copy_file(from / "config.json", to / "config.json",
                             std::filesystem::copy_options::overwrite_existing);
}

Result<ModelWeights> bind(const std::filesystem::path& path) {
  AMBIT_TRY(checkpoint, open_checkpoint(path));
  return bind_weights(checkpoint);
}

bool same(const ops::Matrix& a, const ops::Matrix& b) {
  std::vector<float> x(a.cols);
  std::vector<float> y(b.cols);
  if (a.rows != b.rows || a.cols != b.cols || a.type != b.type) return false;
  for (std::size_t r = 0; r < a.rows; ++r) {
    ops::unpack_row(a, r, x.data());
    ops::unpack_row(b, r, y.data());
    if (x != y) return false;
  }
  return true;
}

TEST_F(Weights, BindTheTransformersNamesToTheSameValues) {
  const auto folder = golden::folder("bf16-b");
  if (!folder) GTEST_SKIP() << "the golden checkpoint bf16-b is not here";
  if (!std::filesystem::exists(*folder / "names.json")) GTEST_SKIP() << "names.json is not here";
  const Json names = Json::parse(read(*folder / "names.json"));
  std::size_t checked = 0;
  for (const auto& [released, entry] : names.items()) {
    if (!entry["transformers"].is_string()) continue;
    const auto other = entry["transformers"].get<std::string>();
    if (other.find('[') != std::string::npos) continue;  // a piece of a stack: below, by value
    EXPECT_EQ(released_name(other), released);
    EXPECT_EQ(released_name(released), released);
    ++checked;
  }
  EXPECT_GT(checked, 100U);

  rewrite(
      *folder, dir_,
      [&](const std::string& n) {
        const auto it = names.find(n);
        return it != names.end() && (*it)["transformers"].is_string()
                   ? (*it)["transformers"].get<std::string>()
                   : std::string();
      },
      true);
  const auto want = bind(*folder);
  const auto got = bind(dir_);
  ASSERT_TRUE(want) << want.error().message;
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(same(want->embed, got->embed));
  EXPECT_TRUE(same(want->head, got->head));
  for (std::size_t l = 0; l < want->layers.size(); ++l) {
    const BlockWeights& a = want->layers[l];
    const BlockWeights& b = got->layers[l];
    EXPECT_TRUE(same(a.attn.wq_b, b.attn.wq_b) && same(a.hc_ffn.fn, b.hc_ffn.fn));
    EXPECT_EQ(a.attn.indexer.has_value(), b.attn.indexer.has_value());
    for (std::size_t e = 0; e < a.ffn.experts.size(); ++e) {
      EXPECT_TRUE(same(a.ffn.experts[e].w1, b.ffn.experts[e].w1)) << l << ' ' << e;
      EXPECT_TRUE(same(a.ffn.experts[e].w2, b.ffn.experts[e].w2)) << l << ' ' << e;
      EXPECT_TRUE(same(a.ffn.experts[e].w3, b.ffn.experts[e].w3)) << l << ' ' << e;
    }
  }
}

TEST_F(Weights, AcceptAModelPrefixAndTheOlderScaleName) {
  const auto folder = golden::folder("q-c");
  if (!folder) GTEST_SKIP() << "the golden checkpoint q-c is not here";
  rewrite(
      *folder, dir_,
      [](std::string n) {
        if (n.size() > 6 && n.compare(n.size() - 6, 6, ".scale") == 0) {
          n.replace(n.size() - 5, 5, "weight_scale_inv");
        }
        return "model." + n;
      },
      false);
  const auto want = bind(*folder);
  const auto got = bind(dir_);
  ASSERT_TRUE(want) << want.error().message;
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(same(want->layers[1].attn.wq_a, got->layers[1].attn.wq_a));
  EXPECT_TRUE(same(want->layers[2].ffn.experts[3].w2, got->layers[2].ffn.experts[3].w2));
  ASSERT_EQ(got->mtp.size(), 1U);
  EXPECT_TRUE(same(want->mtp[0].h_proj, got->mtp[0].h_proj));
}

TEST_F(Weights, NameTheTensorThatIsMissing) {
  const auto folder = golden::folder("f32-a");
  if (!folder) GTEST_SKIP() << "the golden checkpoint f32-a is not here";
  for (const char* lost : {"layers.2.attn.indexer.wq_b.weight", "layers.0.ffn.gate.tid2eid",
                           "layers.5.ffn.experts.7.w2.weight", "hc_head_scale", "embed.weight"}) {
    rewrite(
        *folder, dir_, [&](const std::string& n) { return n == lost ? "" : n; }, false);
    const auto r = bind(dir_);
    ASSERT_FALSE(r) << lost;
    EXPECT_NE(r.error().message.find(std::string(lost).substr(0, std::string(lost).rfind('.'))),
              std::string::npos)
        << r.error().message;
  }
  auto wrong = open_checkpoint(*folder).value();
  wrong.config.q_lora_rank = 47;
  const auto r = bind_weights(wrong);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("wq_a"), std::string::npos) << r.error().message;
}

TEST_F(Weights, RefuseStacksThatCannotBeCutAndTwoNamesForOneTensor) {
  const std::byte data[8] = {};
  const Tensor odd{TensorType::kU8, {2, 3, 1}, {data, 6}};
  EXPECT_FALSE(with_released_names({{"model.layers.0.mlp.experts.gate_up_proj", odd}}));
  const Tensor flat{TensorType::kU8, {6}, {data, 6}};
  EXPECT_FALSE(with_released_names({{"model.layers.0.mlp.experts.down_proj", flat}}));
  EXPECT_FALSE(with_released_names({{"model.layers.0.mlp.experts.down_proj_bias", odd}}));
  // No bytes at all, and names for a thousand thousand million pieces of them.
  const Tensor endless{TensorType::kU8, {std::int64_t{1} << 40U, 2, 0}, {}};
  EXPECT_FALSE(with_released_names({{"model.layers.0.mlp.experts.down_proj", endless}}));
  const std::vector<std::byte> many(65537);
  const Tensor too_many{TensorType::kU8, {65537, 1, 1}, many};
  EXPECT_FALSE(with_released_names({{"model.layers.0.mlp.experts.down_proj", too_many}}));
  EXPECT_FALSE(with_released_names({{"lm_head.weight", flat}, {"head.weight", flat}}));
}

}  // namespace
}  // namespace ambit::inference
