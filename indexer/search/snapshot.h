// The one Snapshot: a list of files over the segments of the store, and unsaved buffers on top.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "indexer/git/repository.h"
#include "indexer/index.h"
#include "indexer/store/segment.h"
#include "indexer/syntax/live.h"

namespace ambit::indexer {

inline constexpr std::uint32_t kNoRecord = 0xFFFFFFFF;

struct FileEntry {
  std::string path;
  BlobId blob;
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t stamp = 0;
  bool settled = false;  // the stamp was old enough when the content was read
  Language language = Language::kNone;
  FileClass file_class = FileClass::kSource;
  bool on_disk = true;
  std::uint32_t segment = kNoRecord, record = kNoRecord;
  std::uint32_t next_same = kNoRecord;  // next file with the same record
};

// Recent parses by path, each made from the one before where that is possible. Thread-safe: a text
// that is being typed in waits for no other parse.
class ParseCache {
 public:
  explicit ParseCache(LiveDetail detail) : detail_(detail) {}
  [[nodiscard]] Parsed exact(const std::string& path, Language language,
                             const std::shared_ptr<const std::string>& text,
                             std::uint64_t max_bytes) const;
  // May be provisional (live.h) when another text of the file is known.
  [[nodiscard]] Parsed typing(const std::string& path, Language language,
                              const std::shared_ptr<const std::string>& text,
                              std::uint64_t max_bytes) const;

 private:
  [[nodiscard]] Parsed last(const std::string& path, Language language) const;
  void keep(const std::string& path, const Parsed& before, const Parsed& now) const;

  const LiveDetail detail_;
  mutable std::mutex mutex_;  // guards what follows; held for moments
  mutable std::unordered_map<std::string, Parsed> recent_;
  mutable std::mutex exact_mutex_;  // guards what follows
  mutable Extractor exact_;
  mutable std::mutex typing_mutex_;  // guards what follows
  mutable Extractor typing_;
};

// Reads file contents and remembers recent parses. Thread-safe.
class TextSource {
 public:
  TextSource(Repository repository, std::uint64_t max_bytes)
      : repository_(std::move(repository)), max_bytes_(max_bytes) {}
  // The bytes that the entry's blob names: from disk while the file is unchanged, else from git.
  [[nodiscard]] Result<std::string> text(const FileEntry& f) const;
  // Bytes of it, when they can be had without reading all: from an unchanged file on disk.
  [[nodiscard]] Result<std::string> part(const FileEntry& f, ByteSpan span) const;
  [[nodiscard]] Parsed parse(const std::string& path, Language language,
                             const std::shared_ptr<const std::string>& text) const {
    return whole_.exact(path, language, text, max_bytes_);
  }
  // Definitions and imports alone, where that is less work.
  [[nodiscard]] Parsed outline(const std::string& path, Language language,
                               const std::shared_ptr<const std::string>& text) const {
    return outlines_of(language).exact(path, language, text, max_bytes_);
  }
  // The same for what a keystroke waits for; may be provisional.
  [[nodiscard]] Parsed typing(const std::string& path, Language language,
                              const std::shared_ptr<const std::string>& text) const {
    return outlines_of(language).typing(path, language, text, max_bytes_);
  }
  [[nodiscard]] const Repository& repository() const { return repository_; }

 private:
  [[nodiscard]] const ParseCache& outlines_of(Language language) const {
    return has_outline(language) ? outlines_ : whole_;
  }
  Repository repository_;
  std::uint64_t max_bytes_;
  mutable std::mutex git_mutex_;
  ParseCache whole_{LiveDetail::kWhole};
  ParseCache outlines_{LiveDetail::kOutline};
};

struct BaseView {
  std::string tree_name;
  std::vector<FileEntry> files;  // sorted by path
  std::vector<std::shared_ptr<const Segment>> segments;
  std::vector<std::vector<std::uint32_t>> first_file;  // segment, record -> first file or kNoRecord
  std::shared_ptr<const TextSource> source;

  [[nodiscard]] const FileEntry* find(std::string_view path) const;
  void link();  // fills first_file and next_same
};

class SnapshotImpl : public Snapshot {
 public:
  SnapshotImpl(std::shared_ptr<const BaseView> base, std::shared_ptr<const History> history)
      : base_(std::move(base)), history_(std::move(history)) {}

  std::shared_ptr<const Snapshot> with_buffers(const Buffers& buffers) const override;
  std::shared_ptr<const Snapshot> with_typing(const Buffers& buffers) const override;
  std::vector<std::string> unsettled() const override;
  std::shared_ptr<const Snapshot> settled() const override;
  std::string tree_name() const override;
  std::string content_id() const override;
  std::vector<ByteSpan> unparsed_ranges(std::string_view path) const override;
  std::vector<FileInfo> files() const override;
  std::optional<FileInfo> file(std::string_view path) const override;
  Result<std::string> text(std::string_view path) const override;
  std::vector<Symbol> symbols_in(std::string_view path) const override;
  std::vector<Reference> references_in(std::string_view path) const override;
  std::vector<Symbol> definitions(std::string_view name, std::size_t limit) const override;
  std::vector<Reference> references(std::string_view name, std::size_t limit) const override;
  std::vector<ResolvedDefinition> resolve(std::string_view path,
                                          std::uint32_t offset) const override;
  std::vector<Symbol> find_symbols(std::string_view query, std::size_t limit) const override;
  Result<std::vector<TextMatch>> search(std::string_view text, bool regex, std::size_t limit,
                                        std::stop_token stop) const override;

  std::shared_ptr<const History> history() const override { return history_; }
  Result<std::vector<BlameHunk>> blame(std::string_view path, std::uint32_t line,
                                       std::uint32_t count) const override;

  [[nodiscard]] const BaseView& base() const { return *base_; }
  // Facts of a path, from its buffer or parsed now; null when it has none.
  [[nodiscard]] Parsed parsed(std::string_view path) const;

 private:
  using Parse = Parsed (TextSource::*)(const std::string& path, Language language,
                                       const std::shared_ptr<const std::string>& text) const;
  [[nodiscard]] std::shared_ptr<const Snapshot> laid_over(const Buffers& buffers,
                                                          Parse parse) const;
  [[nodiscard]] bool hidden(std::string_view path) const { return buffers_.contains(path); }
  void stored_symbols(const FileEntry& f, const std::vector<std::uint32_t>* wanted,
                      std::vector<Symbol>& out) const;

  std::shared_ptr<const BaseView> base_;
  std::shared_ptr<const History> history_;
  std::map<std::string, Parsed, std::less<>> buffers_;  // outlines
};

// Occurrences of a name as a whole word outside comments and strings, with a guess of the kind.
void find_mentions(std::string_view text, Language language, std::string_view name,
                   const std::function<bool(ByteSpan, std::uint32_t line, std::uint32_t column,
                                            ReferenceKind)>& f);

}  // namespace ambit::indexer
