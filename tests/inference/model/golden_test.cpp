// The graph against the golden checkpoints: outputs of the transformers library and of DeepSeek's
// own model file (tests/golden/README.md).
#include <algorithm>
#include <cmath>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/model/model.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

const std::vector<std::string> kCases = {"S1",    "S5",       "S127",     "S128",
                                         "S129",  "S300",     "S1100",    "D1_14",
                                         "D3_12", "D125_134", "D254_262", "D1018_1034"};

struct Difference {
  double largest = 0;
  double rms = 0;
  double kl = 0;
  double same_best = 0;  // share of rows
};

Difference compare(const std::vector<float>& got, const std::vector<float>& want,
                   std::size_t vocab) {
  Difference d;
  const std::size_t rows = want.size() / vocab;
  for (std::size_t r = 0; r < rows; ++r) {
    const float* a = want.data() + r * vocab;
    const float* b = got.data() + r * vocab;
    double za = 0;
    double zb = 0;
    for (std::size_t i = 0; i < vocab; ++i) {
      const double e = std::fabs(static_cast<double>(a[i]) - b[i]);
      d.largest = std::isnan(e) ? INFINITY : std::max(d.largest, e);
      d.rms += e * e;
      za += std::exp(static_cast<double>(a[i]));
      zb += std::exp(static_cast<double>(b[i]));
    }
    for (std::size_t i = 0; i < vocab; ++i) {
      d.kl +=
          std::exp(static_cast<double>(a[i])) / za * (a[i] - std::log(za) - b[i] + std::log(zb));
    }
    d.same_best += std::max_element(a, a + vocab) - a == std::max_element(b, b + vocab) - b ? 1 : 0;
  }
  d.rms = std::sqrt(d.rms / static_cast<double>(want.size()));
  d.kl /= static_cast<double>(rows);
  d.same_best /= static_cast<double>(rows);
  return d;
}

// Logits of every position, and of the MTP block, computed in one step.
struct Run {
  std::vector<float> logits;
  std::vector<float> mtp;
};

Run run(Model& model, const std::vector<TokenId>& ids) {
  KvCache cache(model.pages());
  const StepInput in{.cache = &cache, .ids = ids, .logits_from = 0, .mtp_logits = true};
  const StepOutput out = model.forward({&in, 1});
  return {{out.logits.begin(), out.logits.end()}, {out.mtp_logits.begin(), out.mtp_logits.end()}};
}

std::vector<float> rows_of(const std::vector<float>& all, const std::vector<std::int32_t>& rows,
                           std::size_t vocab) {
  std::vector<float> out;
  for (const std::int32_t r : rows) {
    const auto at = all.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(r) * vocab);
    out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(vocab));
  }
  return out;
}

// Rows of `logits` in a case: given in S cases, p-1 … n-1 in D cases.
std::vector<std::int32_t> logit_rows(const Safetensors& v, const std::string& name, std::size_t n) {
  if (v.find(name + "/logit_pos") != nullptr) return golden::ints(v, name + "/logit_pos");
  std::vector<std::int32_t> rows;
  for (std::int32_t p = golden::ints(v, name + "/prefill")[0] - 1; p < static_cast<std::int32_t>(n);
       ++p) {
    rows.push_back(p);
  }
  return rows;
}

struct Checkpoint {
  std::string name;
  double largest;
  double rms;
};

class Golden : public testing::TestWithParam<Checkpoint> {
 protected:
  // False: skipped, with the reason printed.
  bool open(const ModelOptions& options) {
    const auto folder = golden::folder(GetParam().name);
    if (!folder) return false;
    auto model = Model::open(*folder, options);
    if (!model) {
      ADD_FAILURE() << model.error().message;
      return false;
    }
    model_ = std::move(*model);
    auto vectors = Safetensors::open(*folder / "vectors.safetensors");
    EXPECT_TRUE(vectors);
    vectors_ = std::move(*vectors);
    return true;
  }
  std::unique_ptr<Model> model_;
  Safetensors vectors_;
};

#define OPEN_OR_SKIP(options) \
  if (!open(options)) GTEST_SKIP() << "golden checkpoint " << GetParam().name << " is not here"

void check_plain(Model& model, const Safetensors& vectors, const Checkpoint& limit,
                 const std::vector<std::string>& cases) {
  const std::size_t vocab = model.config().vocab_size;
  for (const std::string& name : cases) {
    SCOPED_TRACE(name);
    const auto ids = golden::ints(vectors, name + "/ids");
    const Run got = run(model, ids);
    const auto want = golden::floats(vectors, name + "/logits");
    const Difference d =
        compare(rows_of(got.logits, logit_rows(vectors, name, ids.size()), vocab), want, vocab);
    EXPECT_LT(d.largest, limit.largest);
    EXPECT_LT(d.rms, limit.rms);
    if (vectors.find(name + "/mtp_logits") == nullptr) continue;
    // Row q of the file is the pair (q, q+1), which the model keeps with token q+1.
    auto rows = golden::ints(vectors, name + "/mtp_pos");
    for (std::int32_t& r : rows) ++r;
    const Difference m = compare(rows_of(got.mtp, rows, vocab),
                                 golden::floats(vectors, name + "/mtp_logits"), vocab);
    EXPECT_LT(m.largest, limit.largest) << "MTP";
    EXPECT_LT(m.rms, limit.rms) << "MTP";
  }
}

TEST_P(Golden, PlainLogitsAgree) {
  OPEN_OR_SKIP(ModelOptions{.numerics = Numerics::kPlain});
  check_plain(*model_, vectors_, GetParam(), kCases);
}

TEST_P(Golden, PlainLogitsOfTheReferenceOpsAgree) {
  OPEN_OR_SKIP((ModelOptions{.numerics = Numerics::kPlain, .reference_ops = true}));
  check_plain(*model_, vectors_, GetParam(), {"S1", "S5", "S129", "S300"});
}

// The statistical limits that the golden README states for runs with rounded activations.
TEST_P(Golden, RoundedRunsAreNoFartherThanTheRelease) {
  if (GetParam().name != "q-c") GTEST_SKIP() << "only q-c has rounded reference sets";
  for (const Numerics numerics : {Numerics::kRelease, Numerics::kFast}) {
    OPEN_OR_SKIP(ModelOptions{.numerics = numerics});
    const bool release = numerics == Numerics::kRelease;
    for (const std::string& name : kCases) {
      SCOPED_TRACE(name);
      const auto ids = golden::ints(vectors_, name + "/ids");
      const auto got =
          rows_of(run(*model_, ids).logits, logit_rows(vectors_, name, ids.size()), 512);
      const Difference d = compare(got, golden::floats(vectors_, name + "/logits"), 512);
      if (ids.size() < 100) {
        EXPECT_LT(d.rms, name[0] == 'S' ? 0.25 : 0.45);
        continue;
      }
      EXPECT_LT(d.kl, release ? 0.06 : 0.03);
      EXPECT_LT(d.rms, release ? 0.45 : 0.3);
      EXPECT_GT(d.rms, 0.02) << "nothing was rounded";
      if (name[0] != 'S') continue;  // a dozen rows are too few for rates
      EXPECT_GE(d.same_best, 0.75);
      const std::string sim = name + (release ? "/logits_sim" : "/logits_sim_kv");
      if (vectors_.find(sim) == nullptr) continue;
      const Difference s = compare(got, golden::floats(vectors_, sim), 512);
      EXPECT_LT(s.rms, 0.9 * d.rms) << "no closer to the simulated release than plain arithmetic";
    }
  }
}

// Intermediates of every layer, to say where a wrong model goes wrong.
TEST_P(Golden, IntermediatesOfEveryLayerAgree) {
  OPEN_OR_SKIP(ModelOptions{.numerics = Numerics::kPlain});
  const auto path = golden::trace(GetParam().name);
  if (!path) GTEST_SKIP() << "trace.safetensors of " << GetParam().name << " is not here";
  auto trace = Safetensors::open(*path);
  ASSERT_TRUE(trace);
  const auto positions = golden::ints(*trace, "pos");
  const auto layers = model_->config().num_hidden_layers;
  std::size_t compared = 0;
  model_->set_trace([&](std::string_view name, std::size_t layer, const float* data,
                        std::size_t rows, std::size_t columns) {
    const std::string key = std::string(name) + "." + std::to_string(layer);
    // The reference lists weights in the order of choice, the model by expert.
    if (name == "router_weights" || layer >= layers || rows != 300 || trace->find(key) == nullptr)
      return;
    const auto want = golden::floats(*trace, key);
    if (want.size() != positions.size() * columns) return;
    double largest = 0;
    double size = 0;
    for (std::size_t p = 0; p < positions.size(); ++p) {
      const float* row = data + static_cast<std::size_t>(positions[p]) * columns;
      for (std::size_t i = 0; i < columns; ++i) {
        const double w = want[p * columns + i];
        largest = std::max(largest, std::fabs(row[i] - w));
        size = std::max(size, std::fabs(w));
      }
    }
    EXPECT_LT(largest, 1e-4 * (1 + size)) << key;
    ++compared;
  });
  run(*model_, golden::ints(*trace, "ids"));
  EXPECT_GE(compared, layers * 10);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Golden,
                         testing::Values(Checkpoint{"f32-a", 1e-3, 5e-5},
                                         Checkpoint{"bf16-b", 2e-4, 2e-5},
                                         Checkpoint{"q-c", 2e-4, 2e-5}),
                         [](const auto& param) {
                           std::string s = param.param.name;
                           s.erase(std::remove(s.begin(), s.end(), '-'), s.end());
                           return s;
                         });

}  // namespace
}  // namespace ambit::inference
