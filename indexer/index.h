// The query interface of the index: what exists, where, and who refers to whom.
//
// RepoIndex owns one work tree (or bare repository, or plain folder). It is fed with changes on any
// one thread at a time and hands out Snapshots: immutable, cheap to copy (shared_ptr), readable
// from any thread. Unsaved buffers are laid over a snapshot per session with
// Snapshot::with_buffers, so that one session's text never shows in another's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "indexer/history.h"
#include "indexer/types.h"

namespace ambit::indexer {

// Unsaved text by path relative to the root. Shared, immutable.
using Buffers = std::map<std::string, std::shared_ptr<const std::string>>;

struct FileInfo {
  std::string path;
  BlobId blob;
  std::uint64_t bytes = 0;
  Language language{};
  // Ranges that the grammar did not understand, at most 255: the index of this file is partial.
  std::uint8_t unparsed = 0;
  bool gave_up = false;      // parsing took too long: only its text can be searched
  std::string_view skipped;  // empty, or why its content is not indexed: "binary", "too large", …
};

struct ResolvedDefinition {
  Symbol symbol;
  float confidence = 0;  // 0…1
};

struct TextMatch {
  std::string path;
  std::uint32_t line = 0;    // 0-based
  std::uint32_t column = 0;  // bytes
  std::uint32_t length = 0;
  std::string line_text;
};

class Snapshot : public std::enable_shared_from_this<Snapshot> {
 public:
  virtual ~Snapshot() = default;

  // The same snapshot with unsaved text on top. Only the files named are parsed again.
  [[nodiscard]] virtual std::shared_ptr<const Snapshot> with_buffers(
      const Buffers& buffers) const = 0;

  // The same for a text that is being typed in: within a few milliseconds, whatever was typed.
  // Where it takes longer to say what the text holds, answers near the change are those of the text
  // before; unsettled() names such files.
  [[nodiscard]] virtual std::shared_ptr<const Snapshot> with_typing(const Buffers& buffers) const {
    return with_buffers(buffers);
  }
  [[nodiscard]] virtual std::vector<std::string> unsettled() const { return {}; }
  // The same texts with exact answers, which later calls of with_typing() build on. Takes as long
  // as it takes (a second for the worst files), so not on a thread that somebody waits for.
  [[nodiscard]] virtual std::shared_ptr<const Snapshot> settled() const {
    return shared_from_this();
  }

  // The exact tree that answers are valid for: the commit and branch, how many unsaved texts lie
  // over it, and how many of these are unsettled.
  [[nodiscard]] virtual std::string tree_name() const = 0;
  // Of the contents: equal only when every path has the same bytes, unsaved text included. "" when
  // the snapshot has no files. Reads no file; some milliseconds for 100,000.
  [[nodiscard]] virtual std::string content_id() const { return {}; }
  [[nodiscard]] virtual std::vector<FileInfo> files() const = 0;  // sorted by path
  // Where the grammar did not understand a file; parses it.
  [[nodiscard]] virtual std::vector<ByteSpan> unparsed_ranges(std::string_view) const { return {}; }
  [[nodiscard]] virtual std::optional<FileInfo> file(std::string_view path) const = 0;
  // Buffer, work tree or blob, in this order; kPermission when ignore rules or a link forbid it.
  [[nodiscard]] virtual Result<std::string> text(std::string_view path) const = 0;

  [[nodiscard]] virtual std::vector<Symbol> symbols_in(std::string_view path) const = 0;
  [[nodiscard]] virtual std::vector<Reference> references_in(std::string_view path) const = 0;
  [[nodiscard]] virtual std::vector<Symbol> definitions(std::string_view name,
                                                        std::size_t limit = 1000) const = 0;
  [[nodiscard]] virtual std::vector<Reference> references(std::string_view name,
                                                          std::size_t limit = 1000) const = 0;
  // What the name at this byte of this file means, best first.
  [[nodiscard]] virtual std::vector<ResolvedDefinition> resolve(std::string_view path,
                                                                std::uint32_t offset) const = 0;
  // Fuzzy, best first.
  [[nodiscard]] virtual std::vector<Symbol> find_symbols(std::string_view query,
                                                         std::size_t limit) const = 0;
  [[nodiscard]] virtual Result<std::vector<TextMatch>> search(std::string_view text, bool regex,
                                                              std::size_t limit,
                                                              std::stop_token stop = {}) const = 0;

  // What the commits say about files: recency, churn, who changes together. Never null; of no
  // commits until RepoIndex::update_history() ran. Of the snapshot's own repository, without
  // submodules.
  [[nodiscard]] virtual std::shared_ptr<const History> history() const;
  // Who wrote lines [line, line + count) of the path as this snapshot has it, unsaved text
  // included. kNotFound when HEAD has no such file; some milliseconds to seconds, by the length of
  // the file's history.
  [[nodiscard]] virtual Result<std::vector<BlameHunk>> blame(std::string_view path,
                                                             std::uint32_t line,
                                                             std::uint32_t count) const;
};

struct IndexProgress {
  std::uint64_t files_done = 0;
  std::uint64_t files_total = 0;
  std::string current;
};

struct IndexOptions {
  std::filesystem::path cache_directory;  // where facts by blob id are kept; empty: nowhere
  unsigned threads = 1;
  std::uint64_t max_file_bytes = 4U << 20;
  std::size_t max_commits = 2000;                         // of history
  std::function<void(const IndexProgress&)> on_progress;  // at most ten times a second
};

struct BuildReport {
  std::uint64_t files = 0, bytes = 0, definitions = 0, references = 0, reused_files = 0;
  std::uint64_t partial = 0;                       // files of which some range was not understood
  std::map<std::string, std::uint64_t> languages;  // name -> files
  std::map<std::string, std::uint64_t> skipped;    // reason -> files
  double seconds = 0;
  std::uint64_t index_bytes = 0;
};

class RepoIndex {
 public:
  // Finds the repository that holds `root` (or takes the folder as it is) and refuses "/" and the
  // home directory. Does not index yet.
  [[nodiscard]] static Result<std::unique_ptr<RepoIndex>> open(const std::filesystem::path& root,
                                                               IndexOptions options);
  virtual ~RepoIndex() = default;

  [[nodiscard]] virtual const std::filesystem::path& root() const = 0;
  // Brings everything up to date with the disk. kCancelled within 100 ms of a stop request; what
  // was learnt until then is kept.
  [[nodiscard]] virtual Result<BuildReport> update(std::stop_token stop = {}) = 0;
  // Only these paths (relative to the root) may have changed.
  [[nodiscard]] virtual Result<void> update_paths(const std::vector<std::string>& paths,
                                                  std::stop_token stop = {}) = 0;
  // Reads the commits that HEAD has and earlier calls did not see (at most
  // IndexOptions::max_commits), and publishes a snapshot whose history() knows them. Cheap when
  // HEAD is where it was. Runs beside update() on another thread. kCancelled within 100 ms.
  [[nodiscard]] virtual Result<void> update_history(std::stop_token stop = {}) = 0;
  // Never null; empty before the first update.
  [[nodiscard]] virtual std::shared_ptr<const Snapshot> snapshot() const = 0;
};

}  // namespace ambit::indexer
