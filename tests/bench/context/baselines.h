// Other ways to fill a window, for comparison on the same cases: each gives pieces of the
// repository, best first, which the caller takes until the budget is full. All read the same index,
// so that only the choice differs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/pack.h"
#include "indexer/index.h"

namespace ambit::bench {

// What is on screen: the current file up to its parent state, the open files, where the cursor is.
struct View {
  std::string path;
  std::string text;
  std::uint32_t line = 0;               // of the cursor, 0-based
  std::vector<std::string> open_files;  // visible as well
};

// One chosen piece and the definitions that it shows.
struct Piece {
  std::string path;
  std::uint32_t first_line = 0;  // 0-based, inclusive
  std::uint32_t last_line = 0;
  std::string text;
};

class Baselines {
 public:
  explicit Baselines(indexer::TokenCounter count);
  ~Baselines();
  // Reads what changed; call once per state of the tree.
  void read(std::shared_ptr<const indexer::Snapshot> snapshot);

  // aider's repository map: PageRank over files with identifiers as edges, personalised on what is
  // visible, each edge's rank given to (file, identifier); definition lines with their file's name
  // once. mentions: identifiers near the cursor count as mentioned in the conversation.
  [[nodiscard]] std::vector<Piece> aider(const View& view, std::int64_t budget, bool mentions);
  // Chunks of 40 lines by BM25, the query being 60 lines before and 30 after the cursor.
  [[nodiscard]] std::vector<Piece> bm25(const View& view, std::int64_t budget);
  [[nodiscard]] std::vector<Piece> same_directory(const View& view, std::int64_t budget);
  [[nodiscard]] std::vector<Piece> recent(const View& view, std::int64_t budget);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Identifiers of a text, in order, with repetitions; comments and strings are not told apart.
[[nodiscard]] std::vector<std::string_view> identifiers(std::string_view text);

}  // namespace ambit::bench
