// Ranking without looking at every definition gives what looking at every one gives: on trees made
// at random and on this repository's own sources.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "indexer/context/graph.h"
#include "indexer/context/signals.h"
#include "indexer/index.h"
#include "tests/indexer/context/fake_snapshot.h"
#include "tests/indexer/index_of.h"
#include "tests/indexer/temp_repo.h"

namespace ambit::indexer {
namespace {

using context::CursorView;
using context::Ranker;
using context::ScoredDefinition;

void expect_equal(const std::vector<ScoredDefinition>& fast,
                  const std::vector<ScoredDefinition>& all, const std::string& where) {
  ASSERT_EQ(fast.size(), all.size()) << where;
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(fast[i].file, all[i].file) << where << " " << i;
    ASSERT_EQ(fast[i].definition, all[i].definition) << where << " " << i;
    ASSERT_EQ(fast[i].score, all[i].score) << where << " " << i;
    ASSERT_EQ(fast[i].reason, all[i].reason) << where << " " << i;
  }
}

// Compares at random cursors of random files; the number of definitions compared.
std::size_t compare(const Snapshot& snapshot, const Ranker& ranker, std::mt19937& random,
                    int places) {
  const auto& graph = ranker.graph();
  const auto history = snapshot.history();
  std::size_t compared = 0;
  for (int place = 0; place < places; ++place) {
    const auto any = [&] {
      return graph.path(static_cast<context::FileNumber>(random() % graph.file_count()));
    };
    const std::string path = any();
    const std::string text = *snapshot.text(path);
    CursorView view{path,
                    text,
                    static_cast<std::uint32_t>(random() % (text.size() + 1)),
                    snapshot.references_in(path),
                    snapshot.symbols_in(path),
                    {any(), any()}};
    view.whole = place % 5 == 4;
    view.history = history.get();
    for (const std::size_t limit : {1U, 7U, 100U, 600U, 60000U}) {
      const auto all = ranker.rank_all(view, limit);
      expect_equal(ranker.rank(view, limit), all, path + " first " + std::to_string(limit));
      compared += all.size();
    }
  }
  return compared;
}

// Names of every kind: shared by many files, hidden, unused, defined twice, of several words.
std::map<std::string, std::string> random_repository(std::mt19937& random, unsigned files) {
  std::map<std::string, std::string> out;
  const auto name = [&] {
    static constexpr const char* kParts[] = {"read",  "write", "Header", "packet", "io",
                                             "queue", "x",     "Node",   "lock",   "merge"};
    std::string s = random() % 8 == 0 ? "_" : "";
    for (unsigned n = 1 + random() % 3; n > 0; --n) s += kParts[random() % 10];
    if (random() % 2 == 0) s += std::to_string(random() % (files + 1));
    return s;
  };
  for (unsigned f = 0; f < files; ++f) {
    std::string text =
        random() % 3 == 0 ? "import file" + std::to_string(random() % files) + "\n" : "";
    for (unsigned d = random() % 12; d > 0; --d) {
      text +=
          (random() % 4 == 0 ? "class " : "def ") + name() + std::string(random() % 40, ' ') + "\n";
      for (unsigned c = random() % 6; c > 0; --c) text += "  " + name() + "(a)\n";
    }
    const auto top = random() % 6;
    out[(top == 0 ? "tests/"
                  : "dir" + std::to_string(top) + "/sub" + std::to_string(random() % 3) + "/") +
        "file" + std::to_string(f) + ".x"] = text;
  }
  return out;
}

TEST(Ranking, IsThatOfEveryDefinitionOnRandomTrees) {
  std::mt19937 random(11);
  std::size_t compared = 0;
  for (const unsigned files : {1U, 2U, 15U, 120U, 400U}) {
    auto texts = random_repository(random, files);
    context::SymbolGraph graph;
    Ranker ranker(graph);
    for (int edit = 0; edit < 3; ++edit) {
      const FakeSnapshot snapshot(texts);
      ASSERT_TRUE(graph.update(snapshot, {}));
      ranker.update();
      compared += compare(snapshot, ranker, random, 12);
      for (auto& [path, text] : random_repository(random, 3)) texts[path] = text;
    }
  }
  EXPECT_GT(compared, 100000U);
}

TEST(Ranking, IsThatOfEveryDefinitionOnRealSources) {
  TempRepo repo;
  for (const char* folder : {"indexer", "lsp", "daemon"}) {
    const std::filesystem::path from = std::filesystem::path(AMBIT_SOURCE_DIR) / folder;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(from)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      std::ifstream in(entry.path(), std::ios::binary);
      repo.write(std::filesystem::relative(entry.path(), AMBIT_SOURCE_DIR).string(),
                 std::string(std::istreambuf_iterator<char>(in), {}));
    }
  }
  repo.commit("sources");
  const auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  const auto snapshot = index->snapshot();
  context::SymbolGraph graph;
  ASSERT_TRUE(graph.update(*snapshot, {}));
  const Ranker ranker(graph);
  std::mt19937 random(12);
  EXPECT_GT(compare(*snapshot, ranker, random, 25), 50000U);
}

TEST(Ranking, MoreDefinitionsOfANameComeBehindWhatIsNotShownYet) {
  const FakeSnapshot snapshot({{"a/use.x", "def main_loop(s)\n  open_port(s)\n"},
                               {"a/one.x", "def open_port(s)\n"},
                               {"a/two.x", "def open_port(s)\n"},
                               {"a/three.x", "def open_port(s)\n"},
                               {"a/four.x", "def draw_box(s)\n"}});
  context::SymbolGraph graph;
  ASSERT_TRUE(graph.update(snapshot, {}));
  const Ranker ranker(graph);
  const std::string path = "a/use.x", text = *snapshot.text(path);
  const CursorView view{path, text, 0, snapshot.references_in(path), snapshot.symbols_in(path), {}};
  const auto ranked = ranker.rank(view, 100);
  ASSERT_EQ(ranked.size(), 4U);
  const auto name = [&](std::size_t i) {
    return graph.name(graph.facts(ranked[i].file).definitions[ranked[i].definition].name);
  };
  EXPECT_EQ(name(0), "open_port");
  EXPECT_EQ(name(3), "open_port");
}

}  // namespace
}  // namespace ambit::indexer
