// One packer per workspace. It keeps
// - the graph of the prepared snapshot (no unsaved text),
// - one stable part per budget, frozen: S0 preamble, S1 map, S2 outlines, S3 full texts. It is made
//   again only when what changed since costs more than making it again would, because everything
//   behind a changed token must be computed anew by the model;
// - per stream what the last pack said: the delta log D (changes since the stable part was frozen)
//   and the task part T (definitions for this cursor). Both grow at their end while they can; what
//   D gains while T stands comes behind T.
#include <algorithm>
#include <list>
#include <mutex>
#include <shared_mutex>

#include "daemon/support/file.h"
#include "indexer/context/delta.h"
#include "indexer/context/graph.h"
#include "indexer/context/pack.h"
#include "indexer/context/spans.h"
#include "indexer/context/stable.h"
#include "indexer/context/task.h"

namespace ambit::indexer {

std::string_view to_string(Region region) {
  switch (region) {
    case Region::kPreamble:
      return "S0";
    case Region::kMap:
      return "S1";
    case Region::kSkeleton:
      return "S2";
    case Region::kFullText:
      return "S3";
    case Region::kDelta:
      return "D";
    case Region::kTask:
      return "T";
    case Region::kCursor:
      return "C";
  }
  return "?";
}

std::string_view to_string(Detail detail) {
  switch (detail) {
    case Detail::kOutline:
      return "outline";
    case Detail::kFull:
      return "full";
    case Detail::kExcerpt:
      return "excerpt";
  }
  return "?";
}

namespace context {
namespace {

constexpr std::size_t kMaxStreams = 64;
constexpr std::size_t kMaxStables = 4;  // budgets that are in use at a time
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 20U;

struct Stream {
  std::uint64_t id = 0;
  std::shared_ptr<const StablePart> stable;
  DeltaLog delta;
  std::size_t before_task = 0;  // spans of delta that stand before T
  TaskPart task;
  std::vector<std::string> last_texts;  // of the whole last pack, span by span
};

class PackerImpl final : public Packer {
 public:
  explicit PackerImpl(PackerOptions options) : options_(std::move(options)) {}

  void prepare(std::shared_ptr<const Snapshot> snapshot, std::stop_token stop) override {
    const std::unique_lock lock(graph_mutex_);
    const auto version = graph_.version();
    if (!graph_.update(*snapshot, stop)) return;
    if (graph_.version() != version) ranker_.update();
    base_ = std::move(snapshot);
  }

  Result<ContextPack> pack(const Snapshot& snapshot, const PackRequest& request,
                           const TokenCounter& count, std::stop_token stop) override {
    const std::shared_lock graph_lock(graph_mutex_);
    const std::lock_guard lock(mutex_);
    if (request.budget_tokens <= 0) {
      return make_error(Code::kInvalidArgument, "a pack's budget must be positive");
    }
    if (base_ == nullptr) return not_ready();
    Stream fresh;
    Stream& stream = request.stream == 0 ? fresh : stream_of(request.stream);

    const std::int64_t task_budget = task_share(request.budget_tokens);
    const std::int64_t stable_budget = request.budget_tokens - task_budget;
    auto stable = in_use(stable_budget);
    if (!stable && stable_budget > 0) {
      std::vector<std::string> around = request.open_files;
      around.insert(around.begin(), request.path);
      AMBIT_TRY(made, make_stable_part(ranker_, *base_, options_.repository, stable_budget, around,
                                       count, stop));
      use(made);
      stable = made;
    }
    if (!stable) stable = nothing_;
    if (stream.stable != stable) {
      stream = {request.stream, stable, {}, 0, {}, std::move(stream.last_texts)};
    }
    // What the stable part leaves of its budget is for the delta log.
    const std::size_t logged = stream.delta.spans.size();
    (void)update_delta(stream.delta, *stable, snapshot, request.path, count,
                       stable->budget - stable->tokens);
    if (stream.delta.spans.size() < logged) stream.before_task = 0;
    stream.before_task = std::min(stream.before_task, stream.delta.spans.size());
    if (stop.stop_requested()) return make_error(Code::kCancelled, "packing was cancelled");
    const std::int64_t task_left = std::min(
        task_budget, request.budget_tokens - stable->tokens - sum_tokens(stream.delta.spans));
    AMBIT_TRY(updated, stream.task.update(ranker_, *stable, snapshot, views_, request, count,
                                          task_left, stop));
    if (updated.anew) stream.before_task = stream.delta.spans.size();
    return assemble(stream, request);
  }

  Result<std::shared_ptr<const StablePart>> propose(std::int64_t budget_tokens,
                                                    const std::vector<std::string>& around,
                                                    const TokenCounter& count,
                                                    std::stop_token stop) override {
    const std::shared_lock graph_lock(graph_mutex_);
    if (base_ == nullptr) return not_ready();
    const std::int64_t budget = budget_tokens - task_share(budget_tokens);
    if (budget <= 0) return nothing_;
    std::shared_ptr<const StablePart> used;
    {
      const std::lock_guard lock(mutex_);
      used = in_use(budget);
    }
    if (used && !worn_out(*used, count)) return used;
    if (auto kept = load(budget); kept && !worn_out(*kept, count)) return kept;
    return make_stable_part(ranker_, *base_, options_.repository, budget, around, count, stop);
  }

  void adopt(std::shared_ptr<const StablePart> part) override {
    if (part == nullptr || part->budget <= 0) return;
    {
      const std::lock_guard lock(mutex_);
      if (in_use(part->budget) == part) return;
      use(part);
    }
    if (!options_.directory.empty() && file_system().make_private_directory(options_.directory)) {
      // Without the file the next start makes the part again.
      (void)file_system().replace(file_of(part->budget), encode_stable_part(*part));
    }
  }

 private:
  static Error not_ready() {
    return make_error(Code::kUnavailable, "the index is not ready yet: no pack can be made");
  }

  // The cursor's own part: half of a small window, at most max_task_tokens of a large one.
  [[nodiscard]] std::int64_t task_share(std::int64_t budget) const {
    if (budget < options_.min_stable_budget) return budget;
    const auto share =
        static_cast<std::int64_t>(static_cast<double>(budget) * (1.0 - options_.stable_share));
    return std::min(options_.max_task_tokens, std::max(share, budget / 2));
  }

  Stream& stream_of(std::uint64_t id) {
    for (auto it = streams_.begin(); it != streams_.end(); ++it) {
      if (it->id == id) {
        streams_.splice(streams_.begin(), streams_, it);
        return streams_.front();
      }
    }
    if (streams_.size() >= kMaxStreams) streams_.pop_back();
    streams_.emplace_front().id = id;
    return streams_.front();
  }

  [[nodiscard]] std::shared_ptr<const StablePart> in_use(std::int64_t budget) const {
    for (const auto& s : stable_) {
      if (s->budget == budget) return s;
    }
    return nullptr;
  }

  void use(std::shared_ptr<const StablePart> part) {
    std::erase_if(stable_, [&](const auto& s) { return s->budget == part->budget; });
    if (stable_.size() >= kMaxStables) stable_.erase(stable_.begin());
    stable_.push_back(std::move(part));
  }

  // The saved changes since it was frozen do not fit the delta log.
  [[nodiscard]] bool worn_out(const StablePart& part, const TokenCounter& count) const {
    DeltaLog log;
    return !update_delta(log, part, *base_, {}, count, part.budget - part.tokens);
  }

  [[nodiscard]] std::filesystem::path file_of(std::int64_t budget) const {
    return options_.directory / (std::to_string(budget) + ".pack");
  }

  [[nodiscard]] std::shared_ptr<const StablePart> load(std::int64_t budget) const {
    if (options_.directory.empty()) return nullptr;
    const auto bytes = read_file(file_of(budget), kMaxFileBytes);
    if (!bytes) return nullptr;
    auto part = decode_stable_part(*bytes);
    return part && (*part)->budget == budget ? *part : nullptr;
  }

  static ContextPack assemble(Stream& stream, const PackRequest& request) {
    ContextPack out;
    out.budget_tokens = request.budget_tokens;
    const auto add = [&](const PackSpan& s) { out.spans.push_back(s); };
    const auto& delta = stream.delta.spans;
    const auto middle = delta.begin() + static_cast<std::ptrdiff_t>(stream.before_task);
    std::for_each(stream.stable->spans.begin(), stream.stable->spans.end(), add);
    std::for_each(delta.begin(), middle, add);
    std::for_each(stream.task.spans().begin(), stream.task.spans().end(), add);
    std::for_each(middle, delta.end(), add);
    std::size_t same = 0;
    while (same < out.spans.size() && same < stream.last_texts.size() &&
           out.spans[same].text == stream.last_texts[same]) {
      ++same;
    }
    const std::vector<std::string> before(
        stream.last_texts.begin() + static_cast<std::ptrdiff_t>(same), stream.last_texts.end());
    stream.last_texts.resize(same);
    for (std::size_t i = 0; i < out.spans.size(); ++i) {
      out.tokens += out.spans[i].tokens;
      if (i < same) continue;
      out.predicted_recompute += out.spans[i].tokens;
      stream.last_texts.push_back(out.spans[i].text);
    }
    if (request.shared_tokens && !before.empty()) {
      out.predicted_recompute -=
          request.shared_tokens(before, std::span(stream.last_texts).subspan(same));
    }
    return out;
  }

  const PackerOptions options_;
  const std::shared_ptr<const StablePart> nothing_ = std::make_shared<StablePart>();
  // Held for reading while a stable part is made, which takes seconds; locked before mutex_.
  std::shared_mutex graph_mutex_;
  SymbolGraph graph_;
  Ranker ranker_{graph_};
  std::shared_ptr<const Snapshot> base_;
  std::mutex mutex_;  // guards everything below
  std::vector<std::shared_ptr<const StablePart>> stable_;
  std::list<Stream> streams_;
  FileViews views_;
};

}  // namespace
}  // namespace context

std::unique_ptr<Packer> make_packer(PackerOptions options) {
  return std::make_unique<context::PackerImpl>(std::move(options));
}

}  // namespace ambit::indexer
