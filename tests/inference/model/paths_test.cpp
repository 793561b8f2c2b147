// Every path to the same tokens gives the same bits: chunks of any size, one by one, batch mates,
// forks, rollbacks, drafts. On all golden checkpoints and all numerics.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/kv/prefix_tree.h"
#include "inference/model/model.h"
#include "inference/ops/sparse_attention.h"
#include "inference/weights/binding.h"
#include "inference/weights/checkpoint.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

struct Setup {
  std::string name;
  Numerics numerics;
};

class Paths : public testing::TestWithParam<Setup> {
 protected:
  // threads: 0 for as many as the machine has.
  bool open(unsigned threads = 0) {
    const auto folder = golden::folder(GetParam().name);
    if (!folder) return false;
    auto model = Model::open(*folder, {.numerics = GetParam().numerics, .threads = threads});
    if (!model) {
      ADD_FAILURE() << model.error().message;
      return false;
    }
    model_ = std::move(*model);
    vocab_ = model_->config().vocab_size;
    return true;
  }

  // Opens f32-a again, with another number of rows that the indexer chooses.
  void choose_rows(std::size_t n) {
    ModelConfig config = model_->config();
    config.index_topk = n;
    auto weights = bind_weights(open_checkpoint(*golden::folder("f32-a")).value()).value();
    model_ = std::make_unique<Model>(config, std::move(weights),
                                     ModelOptions{.numerics = GetParam().numerics, .threads = 3});
  }

  std::vector<TokenId> random_ids(std::size_t n) {
    std::vector<TokenId> ids(n);
    for (TokenId& id : ids) id = static_cast<TokenId>(random_() % vocab_);
    return ids;
  }

  // Extends the cache by ids in one step; the logits of all rows, then those of the MTP block.
  std::vector<float> step(KvCache& cache, std::span<const TokenId> ids) {
    const StepInput in{.cache = &cache, .ids = ids, .logits_from = 0, .mtp_logits = true};
    const StepOutput out = model_->forward({&in, 1});
    std::vector<float> all(out.logits.begin(), out.logits.end());
    for (std::size_t r = 0; r < ids.size(); ++r) {
      const auto row = out.mtp_logits.subspan(r * vocab_, vocab_);
      mtp_.insert(mtp_.end(), row.begin(), row.end());
    }
    return all;
  }

  std::vector<float> step_behind(std::span<const TokenId> before, std::span<const TokenId> ids) {
    KvCache cache(model_->pages());
    step(cache, before);
    return step(cache, ids);
  }

  std::vector<float> whole(std::span<const TokenId> ids) {
    KvCache cache(model_->pages());
    return step(cache, ids);
  }

  // Compares bits from row `from` of `want` on.
  void expect_rows(const std::vector<float>& got, const std::vector<float>& want,
                   std::size_t from) {
    ASSERT_LE(from * vocab_ + got.size(), want.size());
    const auto at = std::mismatch(got.begin(), got.end(),
                                  want.begin() + static_cast<std::ptrdiff_t>(from * vocab_));
    EXPECT_TRUE(at.first == got.end())
        << "first difference in row "
        << from + static_cast<std::size_t>(at.first - got.begin()) / vocab_;
  }

  std::unique_ptr<Model> model_;
  std::size_t vocab_ = 0;
  std::mt19937 random_{7};
  std::vector<float> mtp_;
};

#define OPEN_OR_SKIP(...) \
  if (!open(__VA_ARGS__)) GTEST_SKIP() << "golden checkpoint " << GetParam().name << " is not here"

TEST_P(Paths, ChunksOfAnySizeGiveTheSameBits) {
  OPEN_OR_SKIP();
  const auto ids = random_ids(280);
  const auto want = whole(ids);
  const auto want_mtp = std::exchange(mtp_, {});
  for (const std::size_t chunk : {1U, 3U, 4U, 5U, 127U, 128U, 129U, 1000U}) {
    SCOPED_TRACE(chunk);
    KvCache cache(model_->pages());
    std::vector<float> got;
    mtp_.clear();
    for (std::size_t at = 0; at < ids.size(); at += chunk) {
      const auto n = std::min<std::size_t>(chunk, ids.size() - at);
      const auto rows = step(cache, std::span(ids).subspan(at, n));
      got.insert(got.end(), rows.begin(), rows.end());
    }
    expect_rows(got, want, 0);
    EXPECT_TRUE(mtp_ == want_mtp);
  }
}

TEST_P(Paths, ForksRollbacksDraftsAndBatchMatesGiveTheSameBits) {
  OPEN_OR_SKIP();
  for (int seed = 0; seed < 3; ++seed) {
    SCOPED_TRACE(seed);
    random_.seed(static_cast<unsigned>(seed));
    const auto ids = random_ids(340);
    const auto want = whole(ids);
    KvCache cache(model_->pages());
    std::vector<KvCache> forks;
    std::size_t at = 0;
    for (int move = 0; move < 40; ++move) {
      switch (random_() % 5) {
        case 0: {  // go on in a copy, the old one stays
          if (forks.size() < 4) forks.push_back(cache);
          break;
        }
        case 1: {  // wrong tokens, then back
          const auto wrong = random_ids(1 + random_() % 9);
          step(cache, wrong);
          cache.truncate(static_cast<std::int64_t>(at));
          break;
        }
        case 2: {  // drafts of the MTP block leave no trace
          std::vector<TokenId> drafts;
          if (at > 0) model_->draft(cache, ids[at % ids.size()], 1 + random_() % 3, drafts);
          break;
        }
        case 3: {  // take up an older copy
          if (forks.empty()) break;
          cache = forks.back();
          forks.pop_back();
          at = static_cast<std::size_t>(cache.length());
          break;
        }
        default: {
          const std::size_t n = std::min<std::size_t>(1 + random_() % 60, ids.size() - at);
          if (n == 0) break;
          // Beside another sequence in the same step.
          KvCache other(model_->pages());
          const auto others = random_ids(1 + random_() % 5);
          const StepInput inputs[] = {
              {.cache = &other, .ids = others, .logits_from = others.size()},
              {.cache = &cache, .ids = std::span(ids).subspan(at, n), .logits_from = 0}};
          const StepOutput out = model_->forward(inputs);
          expect_rows({out.logits.begin(), out.logits.end()}, want, at);
          at += n;
        }
      }
    }
    // Back to anywhere in the last page, then on.
    for (const std::size_t back : {1U, 3U, 60U}) {
      if (at % 128 <= back || at < back) continue;
      cache.truncate(static_cast<std::int64_t>(at - back));
      expect_rows(step(cache, std::span(ids).subspan(at - back, back)), want, at - back);
    }
  }
}

TEST_P(Paths, ThePrefixTreeRestoresToTheToken) {
  OPEN_OR_SKIP();
  const auto ids = random_ids(300);
  const auto want = whole(ids);
  for (const std::uint64_t budget : {std::uint64_t{1} << 40U, std::uint64_t{1} << 20U}) {
    PrefixTree tree(model_->pages(), budget);
    {
      KvCache cache(model_->pages());
      step(cache, ids);
      tree.insert(cache);
    }
    tree.trim();
    for (const std::size_t edit : {1U, 127U, 128U, 129U, 200U, 295U, 299U}) {
      SCOPED_TRACE(edit);
      auto edited = ids;
      edited[edit] = static_cast<TokenId>((static_cast<std::size_t>(edited[edit]) + 1) % vocab_);
      KvCache warm = tree.find(edited, static_cast<std::int64_t>(edited.size()) - 1);
      if (budget > (std::uint64_t{1} << 30U)) {
        EXPECT_EQ(warm.length(), static_cast<std::int64_t>(edit));
      }
      ASSERT_LE(warm.length(), static_cast<std::int64_t>(edit));
      // On along the old text: the rows must be those of the first run.
      const auto from = static_cast<std::size_t>(warm.length());
      expect_rows(step(warm, std::span(ids).subspan(from)), want, from);
    }
  }
}

// A repository is read in pieces while keystrokes come: their short sequence stays whole, and the
// long one can still go on from its end.
TEST_P(Paths, ALongSequenceIsThinnedBeforeAShortOneIs) {
  if (GetParam().name != "f32-a") GTEST_SKIP() << "one shape is enough; the others take long";
  OPEN_OR_SKIP(3);
  const std::size_t pages = PrefixTree::kFarPages + 5;
  const auto long_ids = random_ids(pages * 128 + 20);
  auto short_ids = random_ids(200);
  short_ids[0] = (long_ids[0] + 1) % static_cast<TokenId>(vocab_);
  KvCache brief(model_->pages());
  step(brief, short_ids);
  KvCache cache(model_->pages());
  for (std::size_t at = 0; at < pages * 128; at += 256) {
    step(cache, std::span(long_ids).subspan(at, std::min<std::size_t>(256, pages * 128 - at)));
  }
  std::vector<float> want;
  {
    KvCache fork = cache;
    want = step(fork, std::span(long_ids).subspan(pages * 128));
  }
  // So little too much that thinning one far page is enough.
  std::uint64_t budget = 0;
  {
    PrefixTree all(model_->pages(), std::uint64_t{1} << 40U);
    all.insert(brief);
    all.insert(cache);
    budget = all.bytes() - 1;
  }
  PrefixTree tree(model_->pages(), budget);
  tree.insert(brief);
  tree.insert(cache);
  brief = KvCache(model_->pages());
  const Page* first = cache.pages()[0].get();
  tree.trim({first});
  EXPECT_TRUE(first->window) << "it was said to be needed";
  EXPECT_LE(tree.bytes(), budget);
  EXPECT_EQ(tree.find(short_ids, 199).length(), 199);
  cache = KvCache(model_->pages());
  KvCache on = tree.find(long_ids, static_cast<std::int64_t>(long_ids.size()) - 1);
  ASSERT_EQ(on.length(), static_cast<std::int64_t>(pages * 128));
  EXPECT_FALSE(on.pages()[1]->window) << "nothing was thinned";
  EXPECT_TRUE(step(on, std::span(long_ids).subspan(pages * 128)) == want);
}

// Long enough that a lone token's scan of the index keys is shared between threads.
TEST_P(Paths, DeepSequencesGiveTheSameBitsCooledAndOneByOne) {
  if (GetParam().name != "f32-a") GTEST_SKIP() << "one shape is enough; the others take long";
  OPEN_OR_SKIP(3);
  constexpr std::size_t kLong = 4 * 32 * 17;
  const auto ids = random_ids(kLong + 30);
  KvCache cache(model_->pages());
  for (std::size_t at = 0; at < kLong; at += 256) {
    step(cache, std::span(ids).subspan(at, std::min<std::size_t>(256, kLong - at)));
    cache.cool(3);
  }
  EXPECT_FALSE(cache.pages()[0]->window) << "nothing was cooled";
  {
    // The end of a cooled page is a place to go on from.
    KvCache again(model_->pages());
    for (std::size_t p = 0; p < 8; ++p) again.adopt(cache.pages()[p], 128);
    again.thaw();
    const auto after = step(again, std::span(ids).subspan(8 * 128, 5));
    EXPECT_TRUE(step_behind(std::span(ids).first(8 * 128), std::span(ids).subspan(8 * 128, 5)) ==
                after);
  }
  std::vector<float> want;
  {
    KvCache fork = cache;
    want = step(fork, std::span(ids).subspan(kLong));
  }
  std::vector<float> got;
  for (std::size_t i = kLong; i < ids.size(); ++i) {
    const auto row = step(cache, std::span(ids).subspan(i, 1));
    got.insert(got.end(), row.begin(), row.end());
    cache.strip(0);
  }
  EXPECT_FALSE(cache.pages()[0]->has_window()) << "nothing was stripped";
  EXPECT_TRUE(got == want);
}

// With many rows to choose from the indexer first guesses what the least chosen score will be; a
// step that is traced does not.
TEST_P(Paths, AGuessAtTheScoresChangesNoRow) {
  if (GetParam().name != "f32-a" || GetParam().numerics != Numerics::kFast) {
    GTEST_SKIP() << "one shape is enough; the others take long";
  }
  OPEN_OR_SKIP(3);
  choose_rows(64);
  constexpr std::size_t kLong = 4 * 64 * 18;
  std::vector<TokenId> ids = random_ids(kLong + 20);
  // Where the best rows are neighbours, a sample says little: the scan is done again.
  const auto same = static_cast<std::ptrdiff_t>(kLong / 2);
  std::copy_n(ids.begin() + same, 5, ids.begin() + same + 5);
  for (std::ptrdiff_t i = 10; i < 300; ++i) ids[same + i] = ids[same + i - 5];
  KvCache cache(model_->pages());
  for (std::size_t at = 0; at < kLong; at += 256) step(cache, std::span(ids).subspan(at, 256));
  for (const std::size_t n : {20, 1}) {  // tokens side by side, and one whose keys are shared out
    KvCache guessed = cache;
    KvCache traced = cache;
    const auto tail = std::span(ids).subspan(kLong, n);
    const auto got = step(guessed, tail);
    model_->set_trace([](std::string_view, std::size_t, const float*, std::size_t, std::size_t) {});
    EXPECT_TRUE(got == step(traced, tail)) << n;
    model_->set_trace({});
  }
}

// Lists of more than 2,048 rows are cut into longer parts; among the tokens are the first such.
TEST_P(Paths, LongListsOfRowsDoNotDependOnTheStep) {
  if (GetParam().name != "f32-a" || GetParam().numerics != Numerics::kFast) {
    GTEST_SKIP() << "one shape is enough; the others take long";
  }
  OPEN_OR_SKIP(3);
  choose_rows(4096);
  constexpr std::size_t kLong = 4 * (2048 - 128) - 8;
  const std::vector<TokenId> ids = random_ids(kLong + 20);
  KvCache cache(model_->pages());
  for (std::size_t at = 0; at < kLong; at += 200) {
    step(cache, std::span(ids).subspan(at, std::min<std::size_t>(200, kLong - at)));
  }
  KvCache at_once = cache;
  const auto want = step(at_once, std::span(ids).subspan(kLong));
  for (std::size_t i = 0, n = 1; i < 20; i += n, n = n % 3 + 1) {  // 1, 2, 3, 1 … tokens
    n = std::min(n, 20 - i);
    expect_rows(step(cache, std::span(ids).subspan(kLong + i, n)), want, i);
  }
}

// What such lists come to, beside the formula.
TEST_P(Paths, LongListsOfRowsAreAttendedWhole) {
  if (GetParam().name != "f32-a" || GetParam().numerics != Numerics::kPlain) {
    GTEST_SKIP() << "one shape is enough, and rows that are not packed";
  }
  OPEN_OR_SKIP(3);
  choose_rows(4096);
  const ModelConfig& c = model_->config();
  constexpr std::size_t kLayer = 2;  // of ratio 4
  constexpr std::size_t kTokens = 4 * (2048 - 128) + 400;
  const std::vector<TokenId> ids = random_ids(kTokens);
  KvCache cache(model_->pages());
  for (std::size_t at = 0; at + 1 < kTokens; at += 200) {
    step(cache, std::span(ids).subspan(at, std::min<std::size_t>(200, kTokens - 1 - at)));
  }
  std::vector<float> q, got;
  model_->set_trace([&](std::string_view name, std::size_t layer, const float* x, std::size_t n,
                        std::size_t columns) {
    if (layer != kLayer) return;
    if (name == "q") q.assign(x, x + n * columns);
    if (name == "attn_raw") got.insert(got.end(), x, x + n * columns);
  });
  step(cache, std::span(ids).subspan(kTokens - 1));
  std::vector<const float*> rows;
  const auto end = static_cast<std::int64_t>(kTokens);
  for (std::int64_t p = end - 128; p < end; ++p) rows.push_back(cache.window_row(kLayer, p));
  for (std::int64_t r = 0; r < end / 4; ++r) {
    rows.push_back(reinterpret_cast<const float*>(cache.row(kLayer, r)));
  }
  const auto weights = bind_weights(open_checkpoint(*golden::folder("f32-a")).value()).value();
  std::vector<float> want(q.size());
  std::vector<float> scratch(c.num_attention_heads * rows.size());
  ops::sparse_attention_reference({.q = q.data(),
                                   .heads = c.num_attention_heads,
                                   .dim = c.head_dim,
                                   .rows = rows.data(),
                                   .n_rows = rows.size(),
                                   .sink = weights.layers[kLayer].attn.sink,
                                   .scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim)),
                                   .out = want.data(),
                                   .scratch = scratch.data()});
  EXPECT_THAT(got, testing::Pointwise(testing::FloatNear(1e-5F), want));
}

INSTANTIATE_TEST_SUITE_P(
    Checkpoints, Paths,
    testing::Values(Setup{"f32-a", Numerics::kPlain}, Setup{"f32-a", Numerics::kFast},
                    Setup{"bf16-b", Numerics::kPlain}, Setup{"q-c", Numerics::kFast},
                    Setup{"q-c", Numerics::kRelease}),
    [](const auto& param) {
      std::string s = param.param.name + (param.param.numerics == Numerics::kPlain     ? "plain"
                                          : param.param.numerics == Numerics::kRelease ? "release"
                                                                                       : "fast");
      s.erase(std::remove(s.begin(), s.end(), '-'), s.end());
      return s;
    });

}  // namespace
}  // namespace ambit::inference
