// A pack: the code chosen for one prompt, in order, under a token budget, with the reason for each
// span. Layout and words of the regions: docs/architecture.md. Deterministic: the same snapshot,
// request and counter give the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/index.h"

namespace ambit::indexer {

enum class Region : std::uint8_t { kPreamble, kMap, kSkeleton, kFullText, kDelta, kTask, kCursor };
[[nodiscard]] std::string_view to_string(Region region);  // "S0" … "S3", "D", "T", "C"

enum class Detail : std::uint8_t { kOutline, kFull, kExcerpt };
[[nodiscard]] std::string_view to_string(Detail detail);

enum class Task : std::uint8_t { kCompletion, kRefactor, kReview };

struct PackSpan {
  std::string path;              // "" for words of our own (preamble, tree)
  std::uint32_t start_line = 0;  // 0-based, inclusive
  std::uint32_t end_line = 0;    // inclusive
  BlobId blob;
  Region region = Region::kTask;
  Detail detail = Detail::kExcerpt;
  std::string text;  // exactly what enters the prompt; each span is tokenised alone
  std::int64_t tokens = 0;
  std::string reason;  // for people: "defines parse_header, called at the cursor"
  double score = 0;
};

struct PackRequest {
  std::string path;          // the current file, relative to the root
  std::uint32_t cursor = 0;  // byte offset in it
  Task task = Task::kCompletion;
  std::int64_t budget_tokens = 2048;
  std::vector<std::string> open_files;  // most recently used first
  // Requests of one stream (a window's document, say) follow each other: the packer keeps the spans
  // of the previous pack where it can, so that the prompt's prefix stays warm. 0: no history.
  std::uint64_t stream = 0;
  // How many tokens two rows of texts, each tokenised alone, have in common at their beginning:
  // with it predicted_recompute is exact, without it a span that differs counts whole.
  std::function<std::int64_t(std::span<const std::string>, std::span<const std::string>)>
      shared_tokens;
};

struct ContextPack {
  std::vector<PackSpan>
      spans;                // in prompt order; the current file around the cursor is not among them
  std::int64_t tokens = 0;  // sum over spans, never above budget_tokens
  std::int64_t budget_tokens = 0;
  // What the model computes to have read this pack after the stream's last one: the tokens from the
  // first difference on.
  std::int64_t predicted_recompute = 0;
};

// Tokens of a text under the model's own tokenizer. Called from the thread that packs.
using TokenCounter = std::function<std::int64_t(std::string_view)>;

// S0 to S3 of a pack and what is needed to say later what has changed in it.
struct StablePart {
  std::int64_t budget = 0;  // of S0 to S3 and the delta log
  std::int64_t tokens = 0;
  std::vector<PackSpan> spans;
  struct Frozen {
    BlobId blob;
    bool full = false;
    std::string text;             // the span's text (S2) or the file's text (S3), without secrets
    std::set<std::string> names;  // S2: whose definitions it shows
    std::set<std::string> left;   // S2: what the file defined besides
  };
  std::map<std::string, Frozen> files;
  // Whether a definition of the name in this file is in S2 or S3.
  [[nodiscard]] bool shows(const std::string& path, const std::string& name) const;
};

// One per workspace. Thread-safe: pack() calls take turns, and do not wait for propose().
class Packer {
 public:
  virtual ~Packer() = default;
  // Reads what changed in the snapshot since the last call (by blob id) and re-ranks the
  // repository. Meant for the indexing thread after each update; pack() calls it itself only when
  // nothing was prepared yet. Unsaved buffers do not belong in this snapshot.
  virtual void prepare(std::shared_ptr<const Snapshot> snapshot, std::stop_token stop = {}) = 0;
  // The snapshot may carry unsaved buffers on top of the prepared one: they show only in the spans
  // of this stream (regions D and T), never in the stable part, which all streams share.
  [[nodiscard]] virtual Result<ContextPack> pack(const Snapshot& snapshot,
                                                 const PackRequest& request,
                                                 const TokenCounter& count,
                                                 std::stop_token stop = {}) = 0;
  // The stable part that packs of this budget should have now: the one in use (or kept on disk) as
  // long as what changed under it fits the delta log, else a new one, chosen around these files and
  // ordered so that what changes seldom comes first. pack() uses it after adopt(): make the model
  // read it first. kUnavailable before prepare().
  [[nodiscard]] virtual Result<std::shared_ptr<const StablePart>> propose(
      std::int64_t budget_tokens, const std::vector<std::string>& around, const TokenCounter& count,
      std::stop_token stop = {}) = 0;
  virtual void adopt(std::shared_ptr<const StablePart> part) = 0;
};

struct PackerOptions {
  std::string repository;  // its name, for the preamble
  // Share of the budget for what does not depend on the cursor (S0 to S3), and the most tokens that
  // the cursor's own part (T) may take.
  double stable_share = 0.75;
  std::int64_t max_task_tokens = 4096;
  // Below this budget everything is the cursor's own: a small window has no room for a skeleton.
  std::int64_t min_stable_budget = 6144;
  // Adopted stable parts are kept here over restarts, one file per budget. Empty: nowhere.
  std::filesystem::path directory;
};

[[nodiscard]] std::unique_ptr<Packer> make_packer(PackerOptions options = {});

}  // namespace ambit::indexer
