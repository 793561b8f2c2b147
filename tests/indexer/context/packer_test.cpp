#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "indexer/context/at_rest.h"
#include "indexer/context/features.h"
#include "indexer/context/graph.h"
#include "indexer/context/pack.h"
#include "indexer/context/render.h"
#include "tests/indexer/context/fake_snapshot.h"

namespace ambit::indexer {
namespace {

using testing::HasSubstr;
using testing::Not;

// A stand-in for a tokenizer: about four bytes a token, never additive over concatenation.
std::int64_t count_tokens(std::string_view text) {
  return static_cast<std::int64_t>((text.size() + 3) / 4);
}

std::map<std::string, std::string> small_repository() {
  return {
      {"net/http.x", "import parser\ndef handle_request(r)\n  parse_header(r)\n  log_line(r)\n"},
      {"net/parser.x", "def parse_header(text)\n  split_fields(text)\ndef split_fields(text)\n"},
      {"util/log.x", "def log_line(text)\ndef rotate_log_files()\n"},
      {"util/matrix.x", "def invert_matrix(m)\ndef transpose_matrix(m)\n"},
      {"vendor/unrelated.x", "def quaternion_slerp(a)\n"},
  };
}

// Hundreds of files that call one another at random.
std::map<std::string, std::string> large_repository(unsigned seed, int files = 300) {
  std::mt19937 random(seed);
  std::map<std::string, std::string> out;
  for (int f = 0; f < files; ++f) {
    std::string text;
    for (int d = 0; d < 6; ++d) {
      text += "def function_" + std::to_string(f) + "_" + std::to_string(d) + "(argument)\n";
      for (int c = 0; c < 4; ++c) {
        text += "  function_" + std::to_string(random() % files) + "_" +
                std::to_string(random() % 6) + "(argument)\n";
      }
    }
    out["dir" + std::to_string(f % 20) + "/file" + std::to_string(f) + ".x"] = text;
  }
  return out;
}

ContextPack pack(Packer& packer, const Snapshot& snapshot, PackRequest request) {
  auto p = packer.pack(snapshot, request, count_tokens);
  EXPECT_TRUE(p) << p.error().message;
  return *p;
}

std::string text_of(const ContextPack& p) {
  std::string out;
  for (const PackSpan& s : p.spans) out += s.text;
  return out;
}

std::string text_of(const ContextPack& p, Region region) {
  std::string out;
  for (const PackSpan& s : p.spans) {
    if (s.region == region) out += s.text;
  }
  return out;
}

PackRequest request_at(std::string path, std::uint32_t cursor, std::int64_t budget) {
  PackRequest r;
  r.path = std::move(path);
  r.cursor = cursor;
  r.budget_tokens = budget;
  return r;
}

TEST(Packer, DefinitionsUsedAtTheCursorComeAndTheCurrentFileDoesNot) {
  const auto snapshot = std::make_shared<FakeSnapshot>(small_repository());
  const auto packer = make_packer();
  packer->prepare(snapshot);
  const auto p = pack(*packer, *snapshot, request_at("net/http.x", 45, 60));
  EXPECT_THAT(text_of(p), HasSubstr("### net/parser.x\ndef parse_header(text)\n"));
  EXPECT_THAT(text_of(p), HasSubstr("def log_line(text)"));
  EXPECT_THAT(text_of(p), Not(HasSubstr("### net/http.x")));
  for (const PackSpan& s : p.spans) EXPECT_FALSE(s.reason.empty());
}

TEST(Packer, NeverOverBudgetAndTheSameBytesInTwentyRunsOnAnyNumberOfThreads) {
  constexpr int kRuns = 20;
  const auto snapshot = std::make_shared<FakeSnapshot>(large_repository(1));
  for (const std::int64_t budget : {1, 10, 100, 500, 2000, 8000, 20000, 100000}) {
    std::string reference;
    for (const int threads : {1, 2, 3, 8}) {
      // Each thread has packers of its own and one that all share, as the windows of an editor do.
      const auto shared = make_packer();
      shared->prepare(snapshot);
      std::vector<ContextPack> packs(kRuns);
      std::atomic<int> next = 0;
      const auto work = [&] {
        for (int run = next++; run < kRuns; run = next++) {
          std::unique_ptr<Packer> own;
          if (run % 4 == 0) {
            own = make_packer();
            own->prepare(snapshot);
          }
          packs[static_cast<std::size_t>(run)] =
              pack(own ? *own : *shared, *snapshot, request_at("dir3/file43.x", 300, budget));
        }
      };
      {
        std::vector<std::jthread> running;
        for (int i = 0; i < threads; ++i) running.emplace_back(work);
      }
      for (const ContextPack& p : packs) {
        std::int64_t sum = 0;
        for (const PackSpan& s : p.spans) {
          EXPECT_EQ(s.tokens, count_tokens(s.text));
          sum += s.tokens;
        }
        EXPECT_EQ(sum, p.tokens);
        EXPECT_LE(sum, budget);
        if (reference.empty()) reference = text_of(p);
        EXPECT_EQ(text_of(p), reference) << budget << " tokens, " << threads << " threads";
      }
    }
  }
}

TEST(Packer, AWindowIsFullButForWhatLaterCursorsMayAdd) {
  const auto snapshot = std::make_shared<FakeSnapshot>(large_repository(3));
  const auto packer = make_packer();
  packer->prepare(snapshot);
  PackRequest request;
  request.path = "dir1/file1.x";
  request.cursor = 50;
  EXPECT_GE(pack(*packer, *snapshot, request).tokens, 2048 - 40);
  request.stream = 1;
  const auto first = pack(*packer, *snapshot, request).tokens;
  EXPECT_GE(first, 2048 * 15 / 16 - 40);
  EXPECT_LE(first, 2048 * 15 / 16);
}

TEST(Packer, TheStablePartOutlivesEditsWhichGoToTheDeltaLog) {
  auto texts = large_repository(2, 60);
  const auto before = std::make_shared<FakeSnapshot>(texts);
  const auto packer = make_packer();
  packer->prepare(before);
  auto r = request_at("dir3/file43.x", 100, 20000);
  r.stream = 7;
  const auto first = pack(*packer, *before, r);
  texts["dir5/file5.x"] += "def brand_new_thing(argument)\n";
  const auto after = std::make_shared<FakeSnapshot>(texts);
  packer->prepare(after);
  const auto second = pack(*packer, *after, r);
  for (const Region region :
       {Region::kPreamble, Region::kMap, Region::kSkeleton, Region::kFullText}) {
    EXPECT_EQ(text_of(first, region), text_of(second, region));
  }
  EXPECT_THAT(text_of(second, Region::kDelta), HasSubstr("brand_new_thing"));
  EXPECT_LT(second.predicted_recompute, second.tokens / 4);
  // The same again costs nothing.
  EXPECT_EQ(pack(*packer, *after, r).predicted_recompute, 0);
}

// Of a pack's tokens, in percent, those in front of the first difference.
double reused(const ContextPack& before, const ContextPack& now) {
  std::int64_t same = 0;
  for (std::size_t i = 0;
       i < now.spans.size() && i < before.spans.size() && now.spans[i].text == before.spans[i].text;
       ++i) {
    same += now.spans[i].tokens;
  }
  EXPECT_EQ(now.tokens - same, now.predicted_recompute);
  return 100.0 * static_cast<double>(same) / static_cast<double>(now.tokens);
}

TEST(Packer, AnEditOfOneFileKeepsNinetyNinePercentAndABranchOfFiftyKeepsNinety) {
  auto texts = large_repository(7, 3000);
  auto snapshot = std::make_shared<FakeSnapshot>(texts);
  const auto packer = make_packer();
  packer->prepare(snapshot);
  auto r = request_at("dir3/file43.x", 100, 100000);
  r.stream = 1;
  auto last = pack(*packer, *snapshot, r);
  ASSERT_GT(last.tokens, 80000);
  const auto change = [&](const std::string& path, const std::string& line) {
    texts[path] = line + texts[path];
  };
  const auto next = [&] {
    snapshot = std::make_shared<FakeSnapshot>(texts);
    packer->prepare(snapshot);
    auto now = pack(*packer, *snapshot, r);
    const double share = reused(last, now);
    last = std::move(now);
    return share;
  };
  // Files that the pack shows in full, in outline, and at the cursor.
  std::set<std::string> shown;
  for (const PackSpan& s : last.spans) shown.insert(s.path);
  shown.erase("");
  int edits = 0;
  for (const auto& path : shown) {
    if (++edits % 97 != 0) continue;
    change(path, "  function_1_1(edited)\n");
    EXPECT_GE(next(), 99.0) << path;
  }
  EXPECT_GT(edits, 97);
  const auto main_branch = texts;
  int touched = 0;
  for (const auto& path : shown) {
    if (touched < 50) change(path, "def of_the_branch_" + std::to_string(touched++) + "(x)\n");
  }
  ASSERT_EQ(touched, 50);
  EXPECT_GE(next(), 90.0);
  EXPECT_THAT(text_of(last, Region::kDelta), HasSubstr("of_the_branch_49"));
  texts = main_branch;
  EXPECT_GE(next(), 90.0);
  EXPECT_THAT(text_of(last), Not(HasSubstr("of_the_branch_")));
}

TEST(Packer, AStablePartIsUsedOnceItIsAdoptedAndOutlivesTheProcess) {
  const auto directory = std::filesystem::temp_directory_path() /
                         ("ambit-packs." + std::to_string(std::random_device()()));
  PackerOptions options;
  options.directory = directory;
  auto texts = large_repository(8, 60);
  auto snapshot = std::make_shared<FakeSnapshot>(texts);
  std::string prefix;
  {
    const auto packer = make_packer(options);
    EXPECT_EQ(packer->propose(20000, {}, count_tokens).error().code, Code::kUnavailable);
    packer->prepare(snapshot);
    const auto part = *packer->propose(20000, {"dir3/file43.x"}, count_tokens);
    packer->adopt(part);
    EXPECT_EQ(*packer->propose(20000, {"dir9/file9.x"}, count_tokens), part);
    for (const PackSpan& s : part->spans) prefix += s.text;
    EXPECT_TRUE(text_of(pack(*packer, *snapshot, request_at("dir9/file9.x", 0, 20000)))
                    .starts_with(prefix));
    EXPECT_TRUE((*packer->propose(2000, {}, count_tokens))->spans.empty()) << "no room for one";
  }
  texts["dir5/file5.x"] += "def brand_new_thing(argument)\n";
  snapshot = std::make_shared<FakeSnapshot>(texts);
  {
    const auto packer = make_packer(options);
    packer->prepare(snapshot);
    packer->adopt(*packer->propose(20000, {"dir9/file9.x"}, count_tokens));
    const auto now = pack(*packer, *snapshot, request_at("dir9/file9.x", 0, 20000));
    EXPECT_TRUE(text_of(now).starts_with(prefix));
    EXPECT_THAT(text_of(now, Region::kDelta), HasSubstr("brand_new_thing"));
  }
  // Whatever stands in the file, the part is made again when it is not whole.
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) / 2);
  }
  const auto packer = make_packer(options);
  packer->prepare(snapshot);
  EXPECT_FALSE((*packer->propose(20000, {"dir9/file9.x"}, count_tokens))->spans.empty());
  // So much has changed that the log cannot hold it.
  packer->adopt(*packer->propose(20000, {"dir9/file9.x"}, count_tokens));
  const auto old = *packer->propose(20000, {}, count_tokens);
  packer->prepare(std::make_shared<FakeSnapshot>(large_repository(9, 60)));
  EXPECT_NE(*packer->propose(20000, {}, count_tokens), old);
  std::filesystem::remove_all(directory);
}

TEST(Packer, SecretsLeaveTheirPlaceholderInEveryRegion) {
  auto texts = large_repository(10, 60);
  std::vector<std::string> secrets;
  for (auto& [path, text] : texts) {
    secrets.push_back("AKIA" + std::string("IOSFODNN7") + "Q" +
                      std::to_string(100000 + secrets.size()));
    text = "def key_of_" + std::to_string(secrets.size()) + "(key = \"" + secrets.back() + "\")\n" +
           text;
  }
  auto snapshot = std::make_shared<FakeSnapshot>(texts);
  const auto packer = make_packer();
  packer->prepare(snapshot);
  auto r = request_at("dir3/file43.x", 100, 30000);
  r.stream = 1;
  std::string all = text_of(pack(*packer, *snapshot, r));
  for (auto& [path, text] : texts)
    text = "def changed_" + std::to_string(text.size()) + "()\n" + text;
  snapshot = std::make_shared<FakeSnapshot>(texts);
  all += text_of(pack(*packer, *snapshot, r));
  EXPECT_THAT(all, HasSubstr("<secret:"));
  for (const auto& secret : secrets) EXPECT_EQ(all.find(secret), std::string::npos) << secret;
}

TEST(Packer, UnsavedTextOfOneStreamNeverReachesAnother) {
  const auto base = std::make_shared<FakeSnapshot>(large_repository(3, 60));
  const auto packer = make_packer();
  packer->prepare(base);
  const auto secret =
      std::make_shared<const std::string>("def unsaved_secret_function(argument)\n");
  const auto mine = base->with_buffers({{"dir5/file5.x", secret}});
  auto a = request_at("dir3/file43.x", 100, 20000);
  a.stream = 1;
  auto b = a;
  b.stream = 2;
  EXPECT_THAT(text_of(pack(*packer, *mine, a)), HasSubstr("unsaved_secret_function"));
  EXPECT_THAT(text_of(pack(*packer, *base, b)), Not(HasSubstr("unsaved_secret_function")));
}

TEST(Packer, TypingKeepsThePackAndMovingAwayChangesOnlyItsEnd) {
  const auto snapshot = std::make_shared<FakeSnapshot>(large_repository(4));
  const auto packer = make_packer();
  packer->prepare(snapshot);
  auto r = request_at("dir3/file43.x", 100, 8000);
  r.stream = 1;
  (void)pack(*packer, *snapshot, r);
  for (int i = 1; i < 20; ++i) {
    ++r.cursor;
    EXPECT_EQ(pack(*packer, *snapshot, r).predicted_recompute, 0) << i;
  }
  r.path = "dir9/file9.x";
  const auto moved = pack(*packer, *snapshot, r);
  EXPECT_LE(moved.predicted_recompute, 4000 + 16) << "only the task part may change";
}

TEST(Packer, AnswersClearlyBeforeTheIndexIsReadyAndForBadRequests) {
  const FakeSnapshot snapshot(small_repository());
  const auto packer = make_packer();
  EXPECT_EQ(packer->pack(snapshot, request_at("net/http.x", 0, 100), count_tokens).error().code,
            Code::kUnavailable);
  packer->prepare(std::make_shared<FakeSnapshot>(small_repository()));
  EXPECT_EQ(packer->pack(snapshot, request_at("net/http.x", 0, 0), count_tokens).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(packer->pack(snapshot, request_at("nowhere.x", 0, 100), count_tokens).error().code,
            Code::kNotFound);
}

TEST(SymbolGraph, IncrementalUpdateEqualsRebuilt) {
  auto texts = large_repository(5, 40);
  context::SymbolGraph incremental;
  std::mt19937 random(5);
  for (int step = 0; step < 30; ++step) {
    const auto it = std::next(texts.begin(), static_cast<std::ptrdiff_t>(random() % texts.size()));
    switch (random() % 3) {
      case 0:
        it->second += "def step_" + std::to_string(step) + "(x)\n  function_1_1(x)\n";
        break;
      case 1:
        texts["new/file" + std::to_string(step) + ".x"] = "def added_function(x)\n";
        break;
      default:
        texts.erase(it);
    }
    const FakeSnapshot snapshot(texts);
    ASSERT_TRUE(incremental.update(snapshot, {}));
    context::SymbolGraph rebuilt;
    ASSERT_TRUE(rebuilt.update(snapshot, {}));
    ASSERT_EQ(incremental.file_count(), rebuilt.file_count());
    const auto a = incremental.rank({1.0F});
    const auto b = rebuilt.rank({1.0F});
    for (std::size_t f = 0; f < a.size(); ++f) EXPECT_NEAR(a[f], b[f], 1e-5F);
  }
}

TEST(SymbolGraph, RankFollowsUses) {
  const FakeSnapshot snapshot(small_repository());
  context::SymbolGraph graph;
  ASSERT_TRUE(graph.update(snapshot, {}));
  std::vector<float> seeds(graph.file_count(), 0.0F);
  seeds[graph.find("net/http.x")] = 1.0F;
  const auto r = graph.rank(seeds);
  EXPECT_GT(r[graph.find("net/parser.x")], 0.01F);
  EXPECT_GT(r[graph.find("util/log.x")], 0.01F);
  EXPECT_EQ(r[graph.find("vendor/unrelated.x")], 0.0F);
  float sum = 0.0F;
  for (const float x : r) sum += x;
  EXPECT_NEAR(sum, 1.0F, 1e-4F);
}

TEST(Features, TheScoreIsTheWeightedSumOfTheRow) {
  const FakeSnapshot snapshot(large_repository(7, 40));
  context::SymbolGraph graph;
  ASSERT_TRUE(graph.update(snapshot, {}));
  const std::string path = "dir3/file3.x", text = *snapshot.text(path);
  const context::CursorView view{
      path, text, 150, snapshot.references_in(path), snapshot.symbols_in(path), {"dir4/file4.x"}};
  context::Row weights{};
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.1F + static_cast<float>(i % 7);
  context::AtRest rest;
  rest.update(graph, weights);
  context::Features features(graph, rest, view, weights);
  std::set<float> different;
  for (context::FileNumber f = 0; f < graph.file_count(); ++f) {
    for (std::uint32_t i = 0; i < graph.facts(f).definitions.size(); ++i) {
      const auto row = features.row(f, i);
      float sum = 0.0F;
      for (std::size_t k = 0; k < row.size(); ++k) sum += row[k] * weights[k];
      sum -= context::cost_of_room(graph.facts(f).definitions[i].bytes);
      EXPECT_NEAR(features.score(f, i), sum, 1e-3F) << graph.path(f) << " " << i;
      different.insert(sum);
    }
  }
  EXPECT_GT(different.size(), 50U);
}

TEST(SplitWords, CutsAtCaseDigitsAndPunctuation) {
  const auto check = [](std::string_view in, std::vector<std::string> expected) {
    std::vector<std::string> out;
    context::split_words(in, out);
    EXPECT_EQ(out, expected) << in;
  };
  check("parseHTTPHeader_v2", {"parse", "http", "header", "v2"});
  check("snake_case", {"snake", "case"});
  check("a.b->c", {});
  check("", {});
}

TEST(Render, TextsFollowTheDecision) {
  EXPECT_EQ(context::render_file("a/b.c", "x\r\ny\r\n\r\n"), "### a/b.c\nx\ny\n\n");
  EXPECT_EQ(context::render_lines("a.c", 1, 2, "y\nz"), "### a.c:2-3\ny\nz\n\n");
  EXPECT_EQ(context::lines_of("a\nb\nc\n", 1, 1), "b");
  EXPECT_EQ(context::lines_of("a\nb\nc", 1, 9), "b\nc");
  EXPECT_EQ(context::lines_of("a\n", 5, 9), "");
}

TEST(Render, ChangedLinesCoverEveryDifference) {
  std::mt19937 random(6);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> lines;
    for (unsigned i = 0; i < 5 + random() % 40; ++i) lines.push_back(std::to_string(random() % 9));
    auto edited = lines;
    for (unsigned i = 0; i < random() % 4; ++i) {
      const auto at = static_cast<std::ptrdiff_t>(random() % (edited.size() + 1));
      if (random() % 2 == 0 && at < static_cast<std::ptrdiff_t>(edited.size())) {
        edited.erase(edited.begin() + at);
        if (edited.empty()) edited.emplace_back("x");
      } else {
        edited.insert(edited.begin() + at, "new" + std::to_string(i));
      }
    }
    const auto join = [](const std::vector<std::string>& v) {
      std::string s;
      for (const auto& l : v) s += l + "\n";
      return s;
    };
    const auto ranges = context::changed_lines(join(lines), join(edited), 1);
    EXPECT_EQ(ranges.empty(), lines == edited);
    for (std::size_t i = 0; i < edited.size(); ++i) {
      if (!edited[i].starts_with("new")) continue;
      bool covered = false;
      for (const auto& r : ranges) covered |= r.first <= i && i <= r.last;
      EXPECT_TRUE(covered);
    }
    for (std::size_t i = 0; i + 1 < ranges.size(); ++i)
      EXPECT_LT(ranges[i].last, ranges[i + 1].first);
  }
}

}  // namespace
}  // namespace ambit::indexer
