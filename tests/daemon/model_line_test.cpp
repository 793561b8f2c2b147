#include "daemon/assists/completion/model_line.h"

#include <gtest/gtest.h>

#include <cmath>
#include <mutex>

#include "daemon/assists/completion/lead.h"
#include "daemon/assists/completion/memory.h"
#include "tests/indexer/temp_repo.h"

namespace ambit::daemon {
namespace {

using inference::GeneratedToken;

// Tokens are bytes here, so a rival is a character.
GeneratedToken token(char c, double p, std::vector<std::pair<char, double>> rivals = {}) {
  GeneratedToken out{static_cast<unsigned char>(c), static_cast<float>(std::log(p)), {}};
  out.top.push_back({out.id, out.logprob});
  for (const auto& [other, likely] : rivals) {
    out.top.push_back({static_cast<unsigned char>(other), static_cast<float>(std::log(likely))});
  }
  return out;
}

std::string shown(ModelLine line, double part) {
  const auto parts = sure_parts({&line.guess, 1}, {1, part, 2});
  return parts.empty() ? "" : parts.front().text;
}

TEST(LineReader, GivesTheLongestBeginningThatIsLikely) {
  LineReader reader(inference::Tokenizer::bytes(), "", 0.1);
  for (const char c : std::string("get(a")) EXPECT_TRUE(reader.push(token(c, 0.95)));
  EXPECT_TRUE(reader.push(token(')', 0.5, {{',', 0.3}, {'b', 0.2}})));
  EXPECT_FALSE(reader.push(token('\n', 0.9)));
  const auto line = reader.take();
  EXPECT_EQ(line.guess.text, "get(a)");
  EXPECT_TRUE(line.guess.ends_line);
  EXPECT_EQ(shown(line, 0.3), "get(a)");
  // A word counts as whole only as far as no more letters follow.
  EXPECT_EQ(shown(line, 0.6), "get(a");
  EXPECT_EQ(shown(line, 0.7), "get");
  EXPECT_EQ(shown(line, 0.9), "");
}

TEST(LineReader, StopsWhereNothingIsLikelyAnyMore) {
  LineReader reader(inference::Tokenizer::bytes(), "", 0.5);
  EXPECT_TRUE(reader.push(token('a', 0.7)));
  EXPECT_FALSE(reader.push(token('b', 0.7)));
}

TEST(LineReader, RatesAnotherText) {
  LineReader reader(inference::Tokenizer::bytes(), "", 0.1);
  EXPECT_TRUE(reader.push(token('g', 0.75, {{'s', 0.25}})));
  EXPECT_TRUE(reader.push(token('o', 0.5, {{'e', 0.5}})));
  EXPECT_TRUE(reader.push(token('(', 0.5, {{'o', 0.25}})));
  const auto line = reader.take();
  EXPECT_NEAR(*line.likely("set"), 0.25, 1e-6);
  EXPECT_NEAR(*line.likely("go"), 0.375 * 0.5, 1e-6) << "goo is another word";
  EXPECT_NEAR(*line.likely("goo("), 0.375 * 0.25, 1e-6);
  EXPECT_NEAR(*line.likely("go("), 0.375 * 0.5, 1e-6);
  EXPECT_EQ(*line.likely("x"), 0);
  EXPECT_FALSE(ModelLine().likely("x"));
}

TEST(LineReader, WhatStandsBeforeTheCursorIsGiven) {
  // "er" is typed; that the word begins so is no question any more.
  LineReader reader(inference::Tokenizer::bytes(), "er", 0.5);
  EXPECT_TRUE(reader.push(token('e', 0.01, {{'x', 0.99}})));
  EXPECT_TRUE(reader.push(token('r', 0.01, {{'x', 0.99}})));
  EXPECT_TRUE(reader.push(token('r', 0.9, {{'x', 0.1}})));
  EXPECT_TRUE(reader.push(token('o', 0.9)));
  EXPECT_TRUE(reader.push(token('r', 0.9)));
  EXPECT_TRUE(reader.push(token('(', 0.9)));
  const auto line = reader.take();
  EXPECT_EQ(line.guess.text, "ror(");
  EXPECT_EQ(shown(line, 0.5), "ror");
  ASSERT_EQ(line.keys.size(), 2U);
  EXPECT_EQ(line.keys[0].text, "r");
  EXPECT_NEAR(line.keys[0].probability, 0.9, 1e-3);
  EXPECT_EQ(line.keys[1].text, "x");
  // An answer that does not begin so says nothing.
  LineReader other(inference::Tokenizer::bytes(), "er", 0.5);
  EXPECT_FALSE(other.push(token('x', 0.9)));
}

// Writes one text, byte by byte, each as likely; from the word on that it has to begin with.
class Writer : public inference::Backend {
 public:
  Writer(std::string text, double likely) : text_(std::move(text)), likely_(likely) {}
  [[nodiscard]] inference::BackendInfo describe() const override {
    inference::BackendInfo info;
    info.backend = "cpu";
    info.state = inference::BackendState::kReady;
    info.weights_bytes = weights;
    info.context = 1 << 20;
    return info;
  }
  [[nodiscard]] std::shared_ptr<const inference::Tokenizer> tokenizer() const override {
    return inference::Tokenizer::bytes();
  }
  void wake() override {}
  void submit(inference::GenerateRequest request, inference::GenerateEvents events,
              std::stop_token stop) override {
    ++asked;
    // The healed word comes again, as its grammar says: \x61\x62…
    std::string text;
    const auto given = request.grammar.substr(0, request.grammar.rfind('['));
    for (auto at = given.find("\\x"); at != std::string::npos; at = given.find("\\x", at + 1)) {
      text += static_cast<char>(std::stoi(given.substr(at + 2, 2), nullptr, 16));
    }
    const auto at = text.empty() ? std::string::npos : text_.find(text);
    text = at == std::string::npos ? text + text_ : text_.substr(at);
    for (const char c : text) {
      if (stop.stop_requested()) break;
      const std::vector<GeneratedToken> one{token(c, c == unsure ? 0.7 : likely_)};
      events.on_tokens(one);
    }
    events.on_done({inference::Finish::kStop, {}, {}});
  }
  char unsure = '\0';  // of this character
  std::uint64_t weights = 1 << 20;
  int asked = 0;

 private:
  const std::string text_;
  const double likely_;
};

class Leading : public ::testing::Test {
 protected:
  void SetUp() override {
    repo_.write("a.go", "package a\n\nfunc open(name string) error {\n\treturn nil\n}\n");
    auto index = indexer::RepoIndex::open(repo_.path(), {});
    ASSERT_TRUE(index) << index.error().message;
    ASSERT_TRUE((*index)->update());
    index_ = std::move(*index);
  }

  std::shared_ptr<AssistContext> context(const std::shared_ptr<Writer>& writer) {
    auto out = std::make_shared<AssistContext>();
    out->snapshot = index_->snapshot();
    out->scheduler = std::make_shared<Scheduler>(writer);
    out->tokens = std::make_shared<TokenCache>();
    return out;
  }
  static CompletionRequest request(const std::string& before, const std::string& after) {
    CompletionRequest out;
    out.path = "b.go";
    out.form.order = FimOrder::kSpm;
    out.text = std::make_shared<const std::string>(before + after);
    out.cursor = before.size();
    return out;
  }
  CompletionOutcome complete(const std::shared_ptr<Writer>& writer, const std::string& before,
                             const std::string& after = "\n}\n") {
    CompletionOutcome out;
    complete_leading(context(writer), request(before, after),
                     [&](CompletionOutcome outcome) { out = std::move(outcome); });
    return out;
  }

  indexer::TempRepo repo_;
  std::unique_ptr<indexer::RepoIndex> index_;
};

constexpr const char* kBefore = "package a\n\nfunc f(dir string) {\n\tos.";

TEST_F(Leading, TheModelAnswersWhereTheMemoryHasNothing) {
  const auto sure = std::make_shared<Writer>("\tos.RemoveAll(dir)\n", 0.99);
  const auto outcome = complete(sure, kBefore);
  ASSERT_EQ(outcome.items.size(), 1U) << outcome.reason;
  EXPECT_EQ(outcome.items[0].text, "RemoveAll(dir)");
  EXPECT_EQ(outcome.items[0].source, "model");
  EXPECT_TRUE(
      complete(std::make_shared<Writer>("os.RemoveAll(dir)\n", 0.9), kBefore).items.empty());
  // Nor what breaks the file, nor in the middle of a word.
  EXPECT_TRUE(complete(std::make_shared<Writer>("]; ]", 0.99), kBefore).items.empty());
  EXPECT_TRUE(complete(sure, kBefore, "Rest()\n}\n").items.empty());
}

TEST_F(Leading, WhatBothFindLikelyIsShown) {
  // The memory has seen this line once, with another end.
  inference::RepositoryMemory memory;
  for (const char* path : {"c.go", "d.go", "e.go"}) {
    memory.replace(path, "1", "package a\n\nfunc g(dir string) {\n\tos.Mkdir(dir)\n}\n");
  }
  memory.commit();
  const auto ask = [&](const std::string& text, double likely) {
    const auto writer = std::make_shared<Writer>(text, likely);
    const auto with = context(writer);
    with->memory = memory.view();
    CompletionOutcome out;
    const auto before = "package a\n\nvar dir = name\n\nfunc f() {\n\tos.";
    complete_leading(with, request(before, "\n}\n"),
                     [&](CompletionOutcome outcome) { out = std::move(outcome); });
    return out.items.empty() ? "" : out.items[0].text + " of " + std::string(out.items[0].source);
  };
  EXPECT_EQ(ask("os.Mkdir(dir)\n", 0.97), "Mkdir(dir) of repository");
  // Against a model that is sure of something else the memory must be very sure.
  EXPECT_EQ(ask("os.Remove(dir)\n", 0.99), "Remove(dir) of model");
}

TEST_F(Leading, ASureWordIsWorthMoreThanAnUnsureLine) {
  const auto unsure = std::make_shared<Writer>("\tos.RemoveAll(dir)\n", 0.99);
  unsure->unsure = 'd';
  const auto outcome = complete(unsure, kBefore);
  ASSERT_EQ(outcome.items.size(), 1U) << outcome.reason;
  EXPECT_EQ(outcome.items[0].text, "RemoveAll");
}

TEST_F(Leading, ASureCloserIsAnItem) {
  const auto sure = std::make_shared<Writer>("\tos.RemoveAll(dir)\n", 0.99);
  const auto outcome =
      complete(sure, "package a\n\nvar dir = name\n\nfunc f() {\n\tos.RemoveAll(dir");
  ASSERT_EQ(outcome.items.size(), 1U) << outcome.reason;
  EXPECT_EQ(outcome.items[0].text, ")");
  // In a string it closes nothing.
  const auto text = std::make_shared<Writer>("\tputs(\"a]b", 0.99);
  text->unsure = 'b';
  EXPECT_TRUE(complete(text, "package a\n\nfunc f() {\n\tputs(\"a").items.empty());
}

TEST_F(Leading, ANameThatStandsNowhereIsNotInvented) {
  const std::string before = "package a\n\nfunc f(dir string) {\n\t";
  const auto of = [&](const std::string& text) {
    const auto outcome = complete(std::make_shared<Writer>(text, 0.995), before);
    return outcome.items.empty() ? "" : outcome.items[0].text;
  };
  EXPECT_EQ(of("f(dir)\n"), "f(dir)");
  EXPECT_EQ(of("f(folder)\n"), "f");
  EXPECT_EQ(of("f(\"folder\")\n"), "f(\"folder\")");
}

TEST_F(Leading, ALargeModelIsNotAskedForEachKey) {
  const auto large = std::make_shared<Writer>("\tos.RemoveAll(dir)\n", 0.99);
  large->weights = kSmallModelBytes;
  EXPECT_TRUE(complete(large, kBefore).items.empty());
  EXPECT_EQ(large->asked, 0);
}

TEST_F(Leading, TheModelsLikelyKeysAreAnsweredAhead) {
  const auto sure = std::make_shared<Writer>("\tos.RemoveAll(dir)\n", 0.99);
  std::vector<AheadItem> made;
  std::vector<std::function<void()>> jobs;
  const auto start =
      request(std::string(kBefore).substr(0, std::string(kBefore).size() - 1), "\n}\n");
  complete_ahead(context(sure), start, "",
                 {[&](AheadItem item) { made.push_back(std::move(item)); },
                  [&](auto job) { jobs.push_back(std::move(job)); }});
  for (std::size_t i = 0; i < jobs.size(); ++i) std::exchange(jobs[i], {})();
  ASSERT_FALSE(made.empty());
  EXPECT_EQ(*made[0].text, std::string(kBefore) + "\n}\n");
  EXPECT_EQ(made[0].item, "RemoveAll(dir)");
}

}  // namespace
}  // namespace ambit::daemon
