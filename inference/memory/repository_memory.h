// What a repository says, as runs of lexemes: made in the background from its files, each file's
// part replaced when it changes. Readers hold an immutable view.
//
// Threads: one writer at a time; view() from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/memory/segment.h"

namespace ambit::inference {

// Immutable.
struct MemoryView {
  struct Part {
    std::shared_ptr<const MemorySegment> segment;
    std::shared_ptr<const std::vector<bool>> dead;  // per file of the segment: replaced since
  };
  std::shared_ptr<const LexemeTable> table;
  std::vector<Part> parts;
  std::size_t files = 0, lexemes = 0, bytes = 0;
  bool full = false;  // the bound was reached: some files were left out
};

class RepositoryMemory {
 public:
  // max_lexemes: 14 bytes each, and as much again for a moment while parts are merged.
  explicit RepositoryMemory(std::size_t max_lexemes = std::size_t{8} << 20U);

  // Takes the place of what was known of this path; seen by readers after commit(). stamp: of the
  // content, any text. False when there is no room for it.
  bool replace(const std::string& path, std::string stamp, std::string_view text);
  void remove(const std::string& path);
  // The stamp that replace() was given; nullopt for an unknown path.
  [[nodiscard]] std::optional<std::string> stamp_of(const std::string& path) const;
  [[nodiscard]] std::vector<std::string> paths() const;
  // Lexemes that were added and not committed yet.
  [[nodiscard]] std::size_t pending() const { return pending_lexemes_; }
  void commit();

  [[nodiscard]] std::shared_ptr<const MemoryView> view() const;  // never null

 private:
  struct Place {
    std::string stamp;
    std::size_t part = 0, file = 0;  // part == kPending: an index into pending_
    std::size_t lexemes = 0;
  };
  struct Pending {
    std::string path;
    LexemeRun run;
  };
  static constexpr std::size_t kPending = ~std::size_t{0};
  void bury(const Place& place);
  // Makes one part of the last parts when they are of a size, and of a part with much dead in it.
  void tidy();

  const std::size_t max_lexemes_;
  std::shared_ptr<LexemeTable> table_ = std::make_shared<LexemeTable>();
  std::map<std::string, Place> places_;
  std::vector<Pending> pending_;  // path empty: removed again
  std::size_t pending_lexemes_ = 0, live_lexemes_ = 0;
  struct Part {
    std::shared_ptr<const MemorySegment> segment;
    std::shared_ptr<std::vector<bool>> dead;
    std::size_t dead_lexemes = 0;
  };
  std::vector<Part> parts_;
  bool full_ = false;
  mutable std::mutex mutex_;  // guards view_
  std::shared_ptr<const MemoryView> view_;
};

// The run of a text; ids through `intern(std::string_view)`.
template <class Intern>
void append_run(std::string_view text, Lexer& lexer, LexemeRun& out, Intern&& intern) {
  lexer.run(
      text,
      [&](std::string_view word, std::uint32_t space) {
        out.push_back(intern(word) << 2U | space);
      },
      [&](LexemeId line, bool blank) { out.push_back(line << 2U | (blank ? 1U : 0U)); });
}

}  // namespace ambit::inference
