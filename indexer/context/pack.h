// A pack: the code chosen for one prompt, in order, under a token budget, with the reason for each
// span. Layout and words of the regions: docs/architecture.md. Deterministic: the same snapshot,
// request and counter give the same bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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
};

struct ContextPack {
  std::vector<PackSpan>
      spans;                // in prompt order; the current file around the cursor is not among them
  std::int64_t tokens = 0;  // sum over spans, never above budget_tokens
  std::int64_t budget_tokens = 0;
  std::int64_t predicted_recompute =
      0;  // tokens that differ from the previous pack of this cursor's session
};

// Tokens of a text under the model's own tokenizer. Called from the thread that packs.
using TokenCounter = std::function<std::int64_t(std::string_view)>;

class Packer {
 public:
  virtual ~Packer() = default;
  [[nodiscard]] virtual Result<ContextPack> pack(const Snapshot& snapshot,
                                                 const PackRequest& request,
                                                 const TokenCounter& count,
                                                 std::stop_token stop = {}) = 0;
};

[[nodiscard]] std::unique_ptr<Packer> make_packer();

}  // namespace ambit::indexer
