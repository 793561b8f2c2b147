// The task part T: definitions for this cursor, the best ones with doc comment and short bodies,
// the rest as one line each. It stays while the cursor moves a little, and grows at its end: what
// stands in it is read by the model already.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "indexer/context/graph.h"
#include "indexer/context/pack.h"
#include "indexer/context/signals.h"

namespace ambit::indexer::context {

// What the packer shows of files: read once for each content. One thread.
struct FileView {
  std::vector<Symbol> symbols;
  std::string text;  // with placeholders for secrets; empty when it may not be shown
};
class FileViews {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

  [[nodiscard]] std::shared_ptr<const FileView> of(const Snapshot& snapshot,
                                                   const std::string& path);

 private:
  struct Entry {
    std::string path;
    BlobId blob;
    std::size_t bytes = 0;
    std::shared_ptr<const FileView> view;
  };
  std::list<Entry> entries_;  // latest first
  std::map<std::string, std::list<Entry>::iterator> by_path_;
  std::size_t bytes_ = 0;
};

class TaskPart {
 public:
  struct Update {
    bool anew = false;  // nothing of the former part is left
  };
  // Brings the part up to the cursor under `budget` tokens. kNotFound, kCancelled.
  [[nodiscard]] Result<Update> update(const Ranker& ranker, const StablePart& stable,
                                      const Snapshot& snapshot, FileViews& views,
                                      const PackRequest& request, const TokenCounter& count,
                                      std::int64_t budget, const std::stop_token& stop);
  [[nodiscard]] const std::vector<PackSpan>& spans() const { return spans_; }

 private:
  struct Chosen;
  struct Key {
    std::string path;
    std::uint64_t graph = 0;  // its version
    std::uint32_t line = 0;
    std::set<NameId> names;  // near the cursor, defined somewhere
    std::string typed;       // how the word at the cursor begins
  };
  [[nodiscard]] static Key key_at(const SymbolGraph& graph, const PackRequest& request,
                                  std::string_view text);
  [[nodiscard]] bool still_right(const Key& now) const;
  // False: it would take more room than there is.
  [[nodiscard]] bool follow_edits(const Snapshot& snapshot, FileViews& views,
                                  const TokenCounter& count, std::int64_t budget);
  struct Part {
    std::size_t begin, end;  // of the ranking
    std::size_t repeated;    // first ones that may be shown although S2 or S3 has them
  };
  void choose(const SymbolGraph& graph, const StablePart& stable, const Snapshot& snapshot,
              FileViews& views, const std::vector<ScoredDefinition>& ranked, const Part& part,
              std::int64_t budget, const TokenCounter& count);

  Key key_;
  std::vector<PackSpan> spans_;
  std::set<std::pair<std::string, std::string>> shown_;  // path, name: what T defines
  struct Shown {
    std::vector<std::string> names;
    std::set<std::string> rich;
    BlobId blob;
    std::string text;  // as last rendered
  };
  std::map<std::string, Shown> files_;
};

}  // namespace ambit::indexer::context
