#include "daemon/workspace/watcher.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <fstream>
#include <mutex>

namespace ambit::daemon {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class WatcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ambit-watch-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    fs::create_directories(root_ / "src");
    fs::create_directories(root_ / "out");
    fs::create_directories(root_ / ".git");
  }
  void TearDown() override {
    watcher_.reset();
    std::error_code ec;
    fs::remove_all(root_, ec);
  }
  void start(WatcherOptions options = {}) {
    watcher_ = std::make_unique<Watcher>(root_, options, [this](FileChanges changes) {
      std::lock_guard lock(mutex_);
      batches_.push_back(std::move(changes));
      came_.notify_all();
    });
    watcher_->follow({"", "src"}, {root_ / ".git"});
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / name) << text;
  }
  // Batches until one names the path; false when none does for long.
  bool hears_of(const std::string& path) {
    return waits([&](const FileChanges& c) {
      return std::find(c.paths.begin(), c.paths.end(), path) != c.paths.end();
    });
  }
  bool hears_of_everything() {
    return waits([](const FileChanges& c) { return c.everything; });
  }
  bool waits(const std::function<bool(const FileChanges&)>& right) {
    std::unique_lock lock(mutex_);
    const auto found = [&] {
      while (!batches_.empty()) {
        const bool yes = right(batches_.front());
        batches_.pop_front();
        if (yes) return true;
      }
      return false;
    };
    return came_.wait_for(lock, seconds(20), found);
  }
  fs::path root_;
  std::unique_ptr<Watcher> watcher_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<FileChanges> batches_;
};

TEST_F(WatcherTest, NamesWhatIsWrittenRenamedAndRemoved) {
  start();
  EXPECT_EQ(watcher_->problem(), "");
  EXPECT_EQ(watcher_->watched(), 3U);
  write("a.c", "int a;\n");
  EXPECT_TRUE(hears_of("a.c"));
  write("src/b.c.tmp", "int b;\n");
  fs::rename(root_ / "src/b.c.tmp", root_ / "src/b.c");  // as editors save
  EXPECT_TRUE(hears_of("src/b.c"));
  fs::remove(root_ / "src/b.c");
  EXPECT_TRUE(hears_of("src/b.c"));
  fs::create_directory(root_ / "src/new");
  EXPECT_TRUE(hears_of("src/new"));
}

TEST_F(WatcherTest, IsNotWokenByWhatNobodyIndexes) {
  start();
  write("out/a.o", "x");
  write(".git/FETCH_HEAD", "x");
  write("last.c", "x");  // events come in order: nothing came before this one
  EXPECT_TRUE(waits([](const FileChanges& c) {
    EXPECT_EQ(c.paths, std::vector<std::string>{"last.c"});
    EXPECT_FALSE(c.everything);
    return true;
  }));
}

TEST_F(WatcherTest, AnotherHeadMeansEverything) {
  start();
  write(".git/HEAD.lock", "ref: refs/heads/other\n");
  fs::rename(root_ / ".git/HEAD.lock", root_ / ".git/HEAD");
  EXPECT_TRUE(hears_of_everything());
}

// A checkout is one batch: git holds index.lock until all files are there.
TEST_F(WatcherTest, WaitsForGitToFinish) {
  start();
  write(".git/index.lock", "");
  for (int i = 0; i < 100; ++i) write("src/f" + std::to_string(i) + ".c", "x");
  fs::rename(root_ / ".git/index.lock", root_ / ".git/index");
  EXPECT_TRUE(hears_of_everything());
}

TEST_F(WatcherTest, PollsAndSaysSoAboveTheBudget) {
  WatcherOptions options;
  options.max_folders = 2;
  options.poll_every = std::chrono::milliseconds(20);
  start(options);
  EXPECT_TRUE(watcher_->problem().starts_with("more than 2 folders")) << watcher_->problem();
  EXPECT_EQ(watcher_->watched(), 0U);
  EXPECT_TRUE(hears_of_everything());
  EXPECT_TRUE(hears_of_everything());
}

}  // namespace
}  // namespace ambit::daemon
