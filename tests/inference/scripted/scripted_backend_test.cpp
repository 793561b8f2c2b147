#include "inference/scripted/scripted_backend.h"

#include <gtest/gtest.h>

#include <future>

#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {
namespace {

struct Answer {
  std::string text;
  GenerateResult result;
};

// One request; `cancel_after` tokens the stop source is fired.
std::future<Answer> ask(Backend& backend, const std::string& prompt, std::stop_source stop = {},
                        std::size_t cancel_after = 0, std::uint32_t deadline_ms = 0) {
  auto answer = std::make_shared<Answer>();
  auto done = std::make_shared<std::promise<Answer>>();
  GenerateRequest request;
  request.prompt = backend.tokenizer()->encode_with_special(prompt);
  request.max_new_tokens = 1000;
  request.deadline_ms = deadline_ms;
  GenerateEvents events;
  events.on_tokens = [=, &backend](std::span<const GeneratedToken> tokens) mutable {
    for (const auto& t : tokens) answer->text += backend.tokenizer()->token_bytes(t.id);
    if (cancel_after != 0 && answer->text.size() >= cancel_after) stop.request_stop();
  };
  events.on_done = [=](const GenerateResult& r) {
    answer->result = r;
    done->set_value(*answer);
  };
  backend.submit(std::move(request), std::move(events), stop.get_token());
  return done->get_future();
}

std::unique_ptr<ScriptedBackend> make(std::string_view json) {
  auto backend = ScriptedBackend::parse(json);
  if (!backend) throw std::runtime_error(backend.error().message);
  return std::move(*backend);
}

TEST(ScriptedBackend, TheFirstRuleThatMatchesAnswers) {
  const auto b = make(R"J({"rules": [
    {"match": "once", "times": 1, "answer": "first"},
    {"regex": "name=(\\w+)", "expand": true, "answer": "hello $1"},
    {"match": ["a", "b"], "answers": ["x", "y"]}], "default": {"answer": "default"}})J");
  EXPECT_EQ(ask(*b, "once").get().text, "first");
  EXPECT_EQ(ask(*b, "once").get().text, "default");
  EXPECT_EQ(ask(*b, "name=Ada").get().text, "hello Ada");
  EXPECT_EQ(ask(*b, "a b").get().text, "x");
  EXPECT_EQ(ask(*b, "a b").get().text, "y");
  EXPECT_EQ(ask(*b, "a b").get().text, "y");
}

TEST(ScriptedBackend, CancelsWithinOneStep) {
  const auto b = make(R"({"default": {"answer": "abcdefgh"}})");
  const Answer a = ask(*b, "x", std::stop_source(), 3).get();
  EXPECT_EQ(a.text, "abc");
  EXPECT_EQ(a.result.finish, Finish::kCancelled);
}

TEST(ScriptedBackend, AHangEndsByCancelOrDeadline) {
  const auto b = make(R"({"default": {"answer": "abc", "fault": "hang", "fault_after": 2}})");
  std::stop_source stop;
  const Answer a = ask(*b, "x", stop, 2).get();
  EXPECT_EQ(a.result.finish, Finish::kCancelled);
  EXPECT_EQ(ask(*b, "x", {}, 0, 5).get().result.finish, Finish::kDeadline);
}

TEST(ScriptedBackend, ACrashFailsEverybodyUntilItIsWoken) {
  const auto b = make(R"({"rules": [{"match": "boom", "answer": "ab", "fault": "crash",
                           "fault_after": 1}], "default": {"fault": "hang"}})");
  auto waiting = ask(*b, "wait");
  EXPECT_EQ(ask(*b, "boom").get().text, "a");
  EXPECT_EQ(waiting.get().result.finish, Finish::kError);
  EXPECT_EQ(b->describe().state, BackendState::kUnavailable);
  EXPECT_EQ(ask(*b, "boom").get().result.error.code, Code::kUnavailable);
  b->wake();
  EXPECT_EQ(b->describe().state, BackendState::kReady);
}

TEST(ScriptedBackend, CountsWhatAnEarlierPromptHadInCommon) {
  const auto b = make(R"({"default": {"answer": "ok"}})");
  EXPECT_EQ(ask(*b, "abcdef").get().result.usage.reused_tokens, 0);
  EXPECT_EQ(ask(*b, "abcxyz").get().result.usage.reused_tokens, 3);
}

TEST(ScriptedBackend, LiveRequestsEndWithTheBackend) {
  auto b = make(R"({"default": {"fault": "hang"}})");
  auto answer = ask(*b, "x");
  b.reset();
  EXPECT_EQ(answer.get().result.finish, Finish::kCancelled);
}

TEST(Script, NamesTheMemberThatIsWrong) {
  const auto b = ScriptedBackend::parse(R"({"rules": [{"anwser": "x"}]})");
  ASSERT_FALSE(b);
  EXPECT_EQ(b.error().message, "script: rule 0 has the unknown member 'anwser'");
  EXPECT_FALSE(ScriptedBackend::parse("{"));
  EXPECT_FALSE(ScriptedBackend::parse(R"({"default": {"regex": "("}})"));
}

}  // namespace
}  // namespace ambit::inference
