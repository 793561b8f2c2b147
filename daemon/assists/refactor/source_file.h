// A file as moves look at it: its text, its facts, its tree, and the edits that a move makes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/plan.h"
#include "daemon/assists/refactor/refusal.h"
#include "indexer/index.h"
#include "indexer/syntax/extract.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

struct SourceFile {
  std::string path, text;
  indexer::Facts facts;
  std::optional<indexer::SyntaxTree> tree;
  [[nodiscard]] std::string_view slice(indexer::ByteSpan s) const {
    return std::string_view(text).substr(s.begin, s.size());
  }
  [[nodiscard]] std::string_view slice(std::uint32_t node) const {
    return slice((*tree)[node].span);
  }
  [[nodiscard]] std::uint32_t line_of(std::size_t at) const;  // 0-based
};
// The second one with its tree.
[[nodiscard]] Result<SourceFile> load_facts(const indexer::Snapshot& snapshot,
                                            const std::string& path);
[[nodiscard]] Result<SourceFile> load_source(const indexer::Snapshot& snapshot,
                                             const std::string& path);

[[nodiscard]] bool inside(indexer::ByteSpan inner, indexer::ByteSpan outer);

// The symbol's lines from the first to behind the last, when nothing else stands on them.
[[nodiscard]] Result<indexer::ByteSpan> whole_lines(const SourceFile& file,
                                                    const indexer::Symbol& symbol,
                                                    indexer::ByteSpan span);
// With the empty lines that set it apart: those behind it, at the end of a file those before it.
[[nodiscard]] indexer::ByteSpan with_gap(const SourceFile& file, indexer::ByteSpan lines);

// What a move does, file by file. Text that is put beside what is taken out becomes one edit with
// it.
class FileEdits {
 public:
  void edit(const SourceFile& file, indexer::ByteSpan span, std::string text);
  void create(const std::string& path, std::string text);
  // The file will be `to`, with its edits.
  void rename(const SourceFile& file, const std::string& to);
  [[nodiscard]] PlanStep take(std::string title);

 private:
  std::map<std::string, PlanFile> files_;
  std::map<std::string, std::vector<indexer::ByteSpan>> spans_;  // of their edits
  std::map<std::string, std::string> renamed_;
};

}  // namespace ambit::daemon
