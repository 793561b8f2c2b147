// Which mentions of a name must mean one certain definition, as far as names, imports and folders
// can tell. What stays open is left out: a rule that reports it would sometimes be wrong.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/review/finding.h"
#include "indexer/index.h"
#include "indexer/syntax/extract.h"

namespace ambit::daemon::review {

// A definition, before or after the change.
struct Subject {
  std::string name;
  std::string scope;  // "" at file level
  indexer::SymbolKind kind = indexer::SymbolKind::kFunction;
  indexer::Language language{};
  bool exported = true;
  std::vector<std::string> paths;  // where it is (or was) defined and declared
};

struct Use {
  std::string path;
  indexer::ByteSpan span;
  Range range;
  bool in_import = false;
  bool call = false;     // a parenthesis follows
  std::size_t open = 0;  // its offset
};

// Texts of a snapshot, once read and once blanked for each path. Not thread-safe.
class Texts {
 public:
  explicit Texts(const indexer::Snapshot& snapshot) : snapshot_(snapshot) {}
  struct Entry {
    std::string text, code;
    indexer::Language language{};
    std::vector<indexer::Import> imports;
  };
  [[nodiscard]] const Entry& at(const std::string& path);  // empty text when it cannot be read
  [[nodiscard]] const indexer::Snapshot& snapshot() const { return snapshot_; }

 private:
  const indexer::Snapshot& snapshot_;
  indexer::Extractor extractor_;
  std::map<std::string, Entry> entries_;
};

[[nodiscard]] bool same_family(indexer::Language a, indexer::Language b);
[[nodiscard]] std::vector<Use> uses_of(Texts& texts, const Subject& subject, std::size_t limit,
                                       std::stop_token stop = {});
// "a.h:3" for people; the line is 0-based.
[[nodiscard]] std::string place(const std::string& path, std::uint32_t line);
// Names the uses, up to ten, as places that have to do with a finding.
void add_related(Finding& finding, const std::vector<Use>& uses, std::string_view what);

// Does this import of `importer` name the file `target`?
[[nodiscard]] bool import_names(std::string_view module, indexer::Language language,
                                std::string_view importer, std::string_view target);

}  // namespace ambit::daemon::review
