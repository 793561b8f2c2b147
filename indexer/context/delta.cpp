#include "indexer/context/delta.h"

#include "indexer/context/render.h"
#include "indexer/context/spans.h"
#include "indexer/context/stable.h"

namespace ambit::indexer::context {
namespace {

constexpr std::uint32_t kAround = 2;  // lines shown before and after a change

// What a file is now, as far as that differs from how it was frozen.
std::vector<PackSpan> changes(const std::string& path, const StablePart::Frozen& frozen,
                              const Snapshot& snapshot, const TokenCounter& count) {
  std::vector<PackSpan> out;
  if (!frozen.full) {
    // What it showed, as it is now, and what is new in the file.
    const auto symbols = snapshot.symbols_in(path);
    std::set<std::string> names = frozen.names;
    for (const Symbol& s : symbols) {
      if (in_outline(s) && !frozen.left.contains(s.name)) names.insert(s.name);
    }
    auto span = make_span(path, Region::kDelta, Detail::kOutline,
                          named_outline(path, symbols, names), count, "a signature changed since");
    if (span.text != frozen.text) out.push_back(std::move(span));
    return out;
  }
  const auto text = prompt_text(snapshot, path);
  if (!text) return out;
  for (const LineRange& r : changed_lines(frozen.text, *text)) {
    const std::uint32_t first = r.first < kAround ? 0 : r.first - kAround;
    const std::uint32_t last = r.last + kAround;
    out.push_back(make_span(path, Region::kDelta, Detail::kExcerpt,
                            render_lines(path, first, last, lines_of(*text, first, last)), count,
                            "changed since"));
    out.back().start_line = first;
    out.back().end_line = last;
  }
  return out;
}

// Appends; false when something did not fit.
bool append(DeltaLog& log, const StablePart& stable, const Snapshot& snapshot,
            std::string_view except, const TokenCounter& count, std::int64_t budget) {
  std::int64_t used = sum_tokens(log.spans);
  bool all = true;
  for (const auto& [path, frozen] : stable.files) {
    if (path == except) continue;
    const auto info = snapshot.file(path);
    const BlobId now = info ? info->blob : BlobId{};
    const auto logged = log.blobs.find(path);
    if (now == (logged == log.blobs.end() ? frozen.blob : logged->second)) continue;
    std::vector<PackSpan> entry;
    if (info) {
      entry = changes(path, frozen, snapshot, count);
    } else {
      entry.push_back(make_span(path, Region::kDelta, Detail::kExcerpt,
                                "### " + path + " (deleted)\n\n", count, "deleted since"));
    }
    const std::int64_t cost = sum_tokens(entry);
    if (used + cost > budget) {
      all = false;
      continue;
    }
    used += cost;
    log.blobs[path] = now;
    for (PackSpan& s : entry) {
      s.blob = now;
      log.spans.push_back(std::move(s));
    }
  }
  return all;
}

bool something_is_as_it_was(const DeltaLog& log, const StablePart& stable,
                            const Snapshot& snapshot) {
  for (const auto& [path, blob] : log.blobs) {
    const auto info = snapshot.file(path);
    const auto frozen = stable.files.find(path);
    if (info && frozen != stable.files.end() && info->blob == frozen->second.blob) return true;
  }
  return false;
}

}  // namespace

bool update_delta(DeltaLog& log, const StablePart& stable, const Snapshot& snapshot,
                  std::string_view except, const TokenCounter& count, std::int64_t budget) {
  if (!something_is_as_it_was(log, stable, snapshot) && sum_tokens(log.spans) <= budget &&
      append(log, stable, snapshot, except, count, budget)) {
    return true;
  }
  log = {};
  return append(log, stable, snapshot, except, count, budget);
}

}  // namespace ambit::indexer::context
