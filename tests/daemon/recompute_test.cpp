// What the packer says a change will cost is what the engine computes: packs of a real repository,
// read by the bundled model one after the other, through edits, saves and branches.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <random>

#include "daemon/assists/completion/warm_prefix.h"
#include "inference/engine/local_backend.h"
#include "tests/indexer/index_of.h"
#include "tests/indexer/temp_repo.h"

namespace ambit::daemon {
namespace {

using indexer::ContextPack;

constexpr std::int64_t kBudget = 6400;
constexpr int kFiles = 120;

class Recompute : public ::testing::Test {
 protected:
  void SetUp() override {
    inference::LocalOptions options;
    options.context = 16384;
    auto opened = inference::open_local_backend(
        std::filesystem::path(AMBIT_SOURCE_DIR) / "inference/nano/model", options);
    ASSERT_TRUE(opened) << opened.error().message;
    backend_ = std::move(*opened);
    std::mt19937 random(3);
    for (int f = 0; f < kFiles; ++f) {
      for (int d = 0; d < 5; ++d) {
        texts_[path_of(f)] += "int price_" + std::to_string(f) + "_" + std::to_string(d) +
                              "(int count) {\n  return price_" + std::to_string(random() % kFiles) +
                              "_" + std::to_string(random() % 5) + "(count + 1);\n}\n";
      }
      repo_.write(path_of(f), texts_[path_of(f)]);
    }
    repo_.commit("first");
    index_ = indexer::index_of(repo_.path());
    indexer::PackerOptions packing;
    packing.max_task_tokens =
        600;  // a small part at the cursor, so that the model has less to read
    packer_ = indexer::make_packer(packing);
    saved();
    request_.path = path_of(3);
    request_.cursor = 40;
    request_.budget_tokens = kBudget;
    request_.stream = 1;
    request_.shared_tokens = shared_tokens_of(tokens_, backend_->tokenizer());
  }

  static std::string path_of(int f) {
    return "src/part" + std::to_string(f % 7) + "/file" + std::to_string(f) + ".cpp";
  }

  void saved() {
    ASSERT_TRUE(index_->update());
    snapshot_ = index_->snapshot();
    packer_->prepare(snapshot_);
  }

  // Packs and has the model read it.
  ContextPack read(const indexer::Snapshot& snapshot) {
    auto pack = packer_->pack(snapshot, request_, counter_of(tokens_, backend_->tokenizer()));
    EXPECT_TRUE(pack) << pack.error().message;
    inference::GenerateRequest request;
    request.prompt = prefix_ids(tokens_, backend_->tokenizer(), pack->spans);
    differs_ = cheapest_ = static_cast<std::int64_t>(request.prompt.size());
    for (const auto& earlier : prompts_) {
      const auto same = std::mismatch(earlier.begin(), earlier.end(), request.prompt.begin(),
                                      request.prompt.end());
      differs_ = request.prompt.end() - same.second;
      cheapest_ = std::min(cheapest_, differs_);
    }
    prompts_.push_back(request.prompt);
    request.max_new_tokens = 0;
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    inference::GenerateEvents events;
    events.on_done = [&](const inference::GenerateResult& r) {
      const std::lock_guard lock(mutex);
      computed_ = r.usage.computed_tokens;
      done = true;
      changed.notify_one();
    };
    backend_->submit(std::move(request), std::move(events), {});
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
    return std::move(*pack);
  }
  ContextPack read() { return read(*snapshot_); }

  // A file that the frozen part shows, another one each time.
  std::string frozen_file(const ContextPack& pack, std::size_t which) const {
    std::vector<std::string> out;
    for (const auto& s : pack.spans) {
      if (s.region == indexer::Region::kSkeleton || s.region == indexer::Region::kFullText) {
        out.push_back(s.path);
      }
    }
    EXPECT_FALSE(out.empty());
    return out.at(which % out.size());
  }

  indexer::TempRepo repo_;
  std::map<std::string, std::string> texts_;
  std::unique_ptr<inference::Backend> backend_;
  std::unique_ptr<indexer::RepoIndex> index_;
  std::unique_ptr<indexer::Packer> packer_;
  std::shared_ptr<const indexer::Snapshot> snapshot_;
  TokenCache tokens_;
  indexer::PackRequest request_;
  std::vector<std::vector<inference::TokenId>> prompts_;
  // Of the last prompt: tokens that the engine computed; those behind what it has in common with
  // the prompt before, and with whichever earlier one it has most in common with.
  std::int64_t computed_ = -1, differs_ = -1, cheapest_ = -1;
};

TEST_F(Recompute, PredictedIsComputed) {
  const ContextPack first = read();
  ASSERT_GT(first.tokens, kBudget / 2);
  EXPECT_EQ(first.predicted_recompute, first.tokens);
  EXPECT_EQ(computed_, first.tokens + 1) << "the pack and BOS";
  EXPECT_EQ(read().predicted_recompute, 0);
  EXPECT_EQ(computed_, 0);

  // Unsaved edits of frozen files.
  indexer::Buffers buffers;
  int changed = 0;
  for (std::size_t edit = 0; edit < 4; ++edit) {
    const std::string path = frozen_file(first, 5 * edit + 1);
    texts_[path] += "int unsaved_" + std::to_string(edit) + "(int a);\n";
    buffers[path] = std::make_shared<const std::string>(texts_[path]);
    const ContextPack now = read(*snapshot_->with_buffers(buffers));
    EXPECT_EQ(computed_, now.predicted_recompute) << path;
    EXPECT_LT(now.predicted_recompute, now.tokens / 20);
    changed += now.predicted_recompute > 0 ? 1 : 0;
  }
  EXPECT_GT(changed, 2);

  // Saved: nothing is said that was not said.
  for (const auto& [path, text] : buffers) repo_.write(path, *text);
  saved();
  ContextPack now = read();
  EXPECT_EQ(computed_, now.predicted_recompute);
  EXPECT_LT(now.predicted_recompute, now.tokens / 2);

  // Another place, another file: the part at the cursor.
  request_.cursor = 300;
  now = read();
  EXPECT_EQ(computed_, now.predicted_recompute);
  request_.path = path_of(77);
  now = read();
  EXPECT_EQ(computed_, now.predicted_recompute);
  EXPECT_GT(computed_, 100);

  // A branch that changes a part of the frozen files.
  repo_.commit("second");
  ASSERT_TRUE(repo_.git("checkout -q -b other"));
  for (std::size_t i = 0; i < 10; ++i) {
    const std::string path = frozen_file(first, 7 * i + 2);
    repo_.write(path, texts_[path] + "int of_branch_" + std::to_string(i) + "();\n");
  }
  repo_.commit("third");
  saved();
  now = read();
  EXPECT_EQ(computed_, now.predicted_recompute);
  EXPECT_GT(computed_, 0);
  EXPECT_LT(computed_, now.tokens * 7 / 10) << "the frozen part stands";
  // Back, and cursors at random: never more than predicted; less where a prompt before the last one
  // is nearer, since the engine has them all.
  ASSERT_TRUE(repo_.git("checkout -q main"));
  saved();
  now = read();
  EXPECT_EQ(now.predicted_recompute, differs_);
  EXPECT_EQ(computed_, cheapest_);
  std::mt19937 random(5);
  for (int i = 0; i < 6; ++i) {
    request_.path = path_of(static_cast<int>(random() % kFiles));
    request_.cursor = static_cast<std::uint32_t>(random() % texts_[request_.path].size());
    const auto text = std::make_shared<const std::string>(texts_[request_.path] + "// typed\n");
    now = read(*snapshot_->with_buffers({{request_.path, text}}));
    EXPECT_EQ(now.predicted_recompute, differs_) << request_.path << " " << request_.cursor;
    EXPECT_EQ(computed_, cheapest_) << request_.path << " " << request_.cursor;
    EXPECT_LE(computed_, now.predicted_recompute);
  }
}

}  // namespace
}  // namespace ambit::daemon
