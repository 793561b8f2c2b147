// The local engine on a golden checkpoint: reuse, pre-emption, cancellation, sampling, speculation.
#include "inference/engine/local_backend.h"

#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <random>

#include "gtest/gtest.h"
#include "inference/engine/grammar.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

struct Answer {
  GenerateResult result;
  std::vector<TokenId> ids;
  std::vector<GeneratedToken> tokens;
};

// A request in flight that a test can wait for.
class Call {
 public:
  Call(Backend& backend, GenerateRequest request) {
    GenerateEvents events;
    events.on_prefill = [this](std::int64_t done, std::int64_t) {
      const std::lock_guard lock(mutex_);
      progress_ = done;
      changed_.notify_all();
    };
    events.on_tokens = [this](std::span<const GeneratedToken> tokens) {
      const std::lock_guard lock(mutex_);
      for (const GeneratedToken& t : tokens) {
        answer_.ids.push_back(t.id);
        answer_.tokens.push_back(t);
      }
      changed_.notify_all();
    };
    events.on_done = [this](const GenerateResult& r) {
      const std::lock_guard lock(mutex_);
      answer_.result = r;
      ++done_;
      changed_.notify_all();
    };
    backend.submit(std::move(request), std::move(events), stop_.get_token());
  }
  Answer wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_ > 0; });
    EXPECT_EQ(done_, 1);
    return answer_;
  }
  void wait_for_progress(std::int64_t tokens = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return progress_ >= tokens || done_ > 0; });
  }
  [[nodiscard]] bool is_done() {
    const std::lock_guard lock(mutex_);
    return done_ > 0;
  }
  void cancel() { stop_.request_stop(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Answer answer_;
  int done_ = 0;
  std::int64_t progress_ = 0;
  std::stop_source stop_;
};

class LocalBackendTest : public testing::Test {
 protected:
  std::unique_ptr<Backend> open(const LocalOptions& options = {}) {
    const auto folder = golden::folder("q-c");
    if (!folder) return nullptr;
    auto model = Model::open(*folder, options.model);
    EXPECT_TRUE(model) << (model ? "" : model.error().message);
    return model ? make_local_backend(std::move(*model), options) : nullptr;
  }
  static std::vector<TokenId> ids(std::size_t n, unsigned seed = 1) {
    std::mt19937 random(seed);
    std::vector<TokenId> v(n);
    for (TokenId& id : v) id = static_cast<TokenId>(random() % 512);
    return v;
  }
  static Answer ask(Backend& b, GenerateRequest r) { return Call(b, std::move(r)).wait(); }
};

#define OPEN_OR_SKIP(name, ...)        \
  const auto name = open(__VA_ARGS__); \
  if (name == nullptr) GTEST_SKIP() << "golden checkpoint q-c is not here"

TEST_F(LocalBackendTest, AnEditNearTheEndRecomputesOnlyWhatFollowsIt) {
  OPEN_OR_SKIP(backend);
  auto prompt = ids(1500);
  ask(*backend, {.prompt = prompt, .max_new_tokens = 4});
  prompt[1495] = (prompt[1495] + 1) % 512;
  const Answer warm = ask(*backend, {.prompt = prompt, .max_new_tokens = 8, .logprobs = 3});
  EXPECT_EQ(warm.result.usage.computed_tokens, 5);
  EXPECT_EQ(warm.result.usage.reused_tokens, 1495);
  OPEN_OR_SKIP(fresh);
  const Answer cold = ask(*fresh, {.prompt = prompt, .max_new_tokens = 8, .logprobs = 3});
  EXPECT_EQ(cold.result.usage.computed_tokens, 1500);
  EXPECT_EQ(warm.ids, cold.ids);
  for (std::size_t i = 0; i < warm.tokens.size(); ++i) {
    EXPECT_EQ(warm.tokens[i].logprob, cold.tokens[i].logprob);
    EXPECT_EQ(warm.tokens[i].top[2].logprob, cold.tokens[i].top[2].logprob);
  }
}

TEST_F(LocalBackendTest, SpeculationChangesNoToken) {
  LocalOptions plain;
  plain.speculate = false;
  OPEN_OR_SKIP(without, plain);
  OPEN_OR_SKIP(with);
  for (const float temperature : {0.0F, 0.8F}) {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      GenerateRequest r{.prompt = ids(200, static_cast<unsigned>(seed)), .max_new_tokens = 60};
      r.sampling = {.temperature = temperature, .top_p = 0.9F, .top_k = 40, .seed = seed};
      const Answer a = ask(*without, r);
      // The best possible draft, and one that goes wrong half way.
      r.draft = std::vector<TokenId>(r.prompt.end() - 5, r.prompt.end());
      r.draft.insert(r.draft.end(), a.ids.begin(), a.ids.end());
      r.draft[40] = (r.draft[40] + 1) % 512;
      const Answer b = ask(*with, r);
      EXPECT_EQ(a.ids, b.ids);
      EXPECT_GT(b.result.usage.accepted_tokens, 10);
      r.draft.clear();
      EXPECT_EQ(ask(*with, r).ids, a.ids);
    }
  }
}

TEST_F(LocalBackendTest, AKeystrokeOvertakesALongPrefill) {
  OPEN_OR_SKIP(backend);
  Call slow(*backend,
            {.prompt = ids(20000), .max_new_tokens = 1, .priority = Priority::kBackground});
  slow.wait_for_progress();
  Call fast(*backend,
            {.prompt = ids(40, 9), .max_new_tokens = 3, .priority = Priority::kKeystroke});
  EXPECT_EQ(fast.wait().result.finish, Finish::kLength);
  EXPECT_FALSE(slow.is_done());
  slow.cancel();
  const Answer cancelled = slow.wait();
  EXPECT_EQ(cancelled.result.finish, Finish::kCancelled);
  // What was computed before the cancel is not lost.
  const std::int64_t computed = cancelled.result.usage.computed_tokens;
  EXPECT_GT(computed, 0);
  EXPECT_LT(computed, 20000);
  auto again = ids(20000);
  again.resize(static_cast<std::size_t>(computed) + 10);
  EXPECT_EQ(ask(*backend, {.prompt = again, .max_new_tokens = 0}).result.usage.reused_tokens,
            computed);
}

TEST_F(LocalBackendTest, AfterARestartTheStateOnDiskGivesTheSameAnswer) {
  const auto dir =
      std::filesystem::temp_directory_path() / ("ambit-state-" + std::to_string(::getpid()));
  std::filesystem::remove_all(dir);
  for (const Numerics numerics : {Numerics::kFast, Numerics::kPlain}) {
    LocalOptions options;
    options.state_directory = dir;
    options.model.numerics = numerics;
    GenerateRequest r{.prompt = ids(700), .max_new_tokens = 10, .logprobs = 2};
    {  // What nobody wants on disk is not there.
      OPEN_OR_SKIP(first, options);
      (void)ask(*first, r);
    }
    r.on_disk = true;
    Answer before;
    {
      OPEN_OR_SKIP(first, options);
      before = ask(*first, r);
      EXPECT_EQ(before.result.usage.reused_tokens, 0);
    }
    OPEN_OR_SKIP(second, options);
    const Answer after = ask(*second, r);
    EXPECT_EQ(after.result.usage.reused_tokens, 640);
    EXPECT_EQ(after.ids, before.ids);
    for (std::size_t i = 0; i < after.tokens.size(); ++i) {
      EXPECT_EQ(after.tokens[i].logprob, before.tokens[i].logprob);
    }
  }
  std::filesystem::remove_all(dir);
}

// What waits to be written holds its memory: were it to wait for the end of a long read, keystrokes
// would lose theirs.
TEST_F(LocalBackendTest, WhatIsReadForLongIsWrittenMeanwhileAndLeavesRoomForKeystrokes) {
  const auto dir =
      std::filesystem::temp_directory_path() / ("ambit-behind-" + std::to_string(::getpid()));
  std::filesystem::remove_all(dir);
  const auto read = [&](std::size_t n, unsigned seed) {
    return GenerateRequest{.prompt = ids(n, seed),
                           .max_new_tokens = 0,
                           .priority = Priority::kBackground,
                           .on_disk = true};
  };
  LocalOptions options;
  {
    OPEN_OR_SKIP(backend, options);
    (void)ask(*backend, read(12000, 1));
    options.state_bytes = backend->describe().kv_bytes / 2;
  }
  options.state_directory = dir;
  OPEN_OR_SKIP(backend, options);
  Call first(*backend, read(12000, 1));
  Call second(*backend, read(30000, 2));
  (void)first.wait();
  second.wait_for_progress(14000);
  GenerateRequest key{.prompt = ids(300, 3), .max_new_tokens = 1, .priority = Priority::kKeystroke};
  (void)ask(*backend, key);
  EXPECT_EQ(ask(*backend, key).result.usage.reused_tokens, 299);
  EXPECT_FALSE(second.is_done());
  second.cancel();
  (void)second.wait();
  std::filesystem::remove_all(dir);
}

TEST_F(LocalBackendTest, ManySequencesAtOnceAnswerAsTheyWouldAlone) {
  OPEN_OR_SKIP(alone);
  OPEN_OR_SKIP(together);
  std::vector<std::vector<TokenId>> want;
  std::vector<std::unique_ptr<Call>> calls;
  for (unsigned i = 0; i < 6; ++i) {
    GenerateRequest r{.prompt = ids(50 + 40 * i, i), .max_new_tokens = 20};
    r.sampling = {.temperature = 1, .seed = i};
    want.push_back(ask(*alone, r).ids);
    calls.push_back(std::make_unique<Call>(*together, r));
  }
  for (std::size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(calls[i]->wait().ids, want[i]);
}

TEST_F(LocalBackendTest, StopsAtStopIdsAndRefusesWhatItCannotDo) {
  OPEN_OR_SKIP(backend);
  GenerateRequest r{.prompt = ids(30), .max_new_tokens = 10};
  const Answer free = ask(*backend, r);
  ASSERT_EQ(free.ids.size(), 10U);
  r.stop_ids = {free.ids[4]};
  const Answer stopped = ask(*backend, r);
  EXPECT_EQ(stopped.result.finish, Finish::kStop);
  EXPECT_LE(stopped.ids.size(), 4U);
  EXPECT_TRUE(std::equal(stopped.ids.begin(), stopped.ids.end(), free.ids.begin()));

  for (const GenerateRequest& bad :
       {GenerateRequest{.max_new_tokens = 1}, GenerateRequest{.prompt = {1, 512}},
        GenerateRequest{.prompt = {-1}},
        GenerateRequest{.prompt = {1}, .max_new_tokens = 1, .answer = {1, 2}},
        GenerateRequest{.prompt = {1}, .max_new_tokens = 1, .answer = {512}},
        GenerateRequest{.prompt = {1}, .max_new_tokens = 2'000'000}}) {
    const Answer a = ask(*backend, bad);
    EXPECT_EQ(a.result.finish, Finish::kError);
    EXPECT_EQ(a.result.error.code, Code::kInvalidArgument);
  }
}

TEST_F(LocalBackendTest, RatesAGivenAnswerAsItRatesItsOwn) {
  OPEN_OR_SKIP(backend);
  GenerateRequest r{.prompt = ids(200), .max_new_tokens = 12};
  const Answer own = ask(*backend, r);
  ASSERT_EQ(own.ids.size(), 12U);
  r.answer = own.ids;
  r.stop_ids = {own.ids[3]};  // not looked at
  r.max_new_tokens = 20;
  const Answer rated = ask(*backend, r);
  EXPECT_EQ(rated.result.finish, Finish::kLength);
  EXPECT_EQ(rated.ids, own.ids);
  for (std::size_t i = 0; i < rated.tokens.size(); ++i) {
    EXPECT_FLOAT_EQ(rated.tokens[i].logprob, own.tokens[i].logprob);
  }
  // Another third token: worse than the best, and what stands before it is rated as it was.
  r.answer[2] = (r.answer[2] + 1) % 512;
  const Answer other = ask(*backend, r);
  EXPECT_EQ(other.ids, r.answer);
  EXPECT_FLOAT_EQ(other.tokens[1].logprob, own.tokens[1].logprob);
  EXPECT_LT(other.tokens[2].logprob, own.tokens[2].logprob);
}

TEST_F(LocalBackendTest, AnswersFollowTheirGrammarWithAndWithoutSpeculation) {
  LocalOptions options;
  options.tokenizer = Tokenizer::bytes();
  OPEN_OR_SKIP(backend, options);
  options.speculate = false;
  OPEN_OR_SKIP(plain, options);
  const auto stop = options.tokenizer->special().eos;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    GenerateRequest request;
    request.prompt = ids(40, static_cast<unsigned>(seed));
    request.max_new_tokens = 60;
    request.sampling = {.temperature = seed == 0 ? 0.0F : 1.5F, .seed = seed};
    request.stop_ids = {stop};
    request.grammar = "root ::= item (\", \" item)* \".\"  item ::= [a-c]+ \"=\" [0-9] [0-9]";
    const Answer answer = ask(*backend, request);
    ASSERT_NE(answer.result.finish, Finish::kError) << answer.result.error.message;
    EXPECT_EQ(answer.ids, ask(*plain, request).ids);
    const std::string text = options.tokenizer->decode(answer.ids);
    GrammarMatcher matcher(Grammar::parse(request.grammar).value());
    EXPECT_TRUE(matcher.accept(text)) << text;
    EXPECT_EQ(matcher.can_end(), answer.result.finish == Finish::kStop) << text;
    EXPECT_FALSE(text.empty());
  }
  GenerateRequest wrong;
  wrong.prompt = ids(3);
  wrong.max_new_tokens = 1;
  wrong.grammar = "root ::= nothing";
  EXPECT_EQ(ask(*backend, wrong).result.error.code, Code::kInvalidArgument);
}

TEST_F(LocalBackendTest, AMissingCheckpointIsOneClearLine) {
  const auto backend = open_local_backend("/nonexistent/model", {});
  ASSERT_FALSE(backend);
  EXPECT_FALSE(backend.error().message.empty());
}

}  // namespace
}  // namespace ambit::inference
