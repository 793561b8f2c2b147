#include "daemon/assists/completion/memory.h"

#include <algorithm>

#include "daemon/assists/completion/words.h"
#include "indexer/secrets.h"
#include "inference/memory/weights.h"

namespace ambit::daemon {

namespace {

constexpr std::size_t kBeam = 4, kMostOpenFiles = 4;

}  // namespace

bool stands_alone(std::string_view text) {
  return std::count(text.begin(), text.end(), '"') % 2 == 0 &&
         std::count(text.begin(), text.end(), '\'') % 2 == 0 &&
         std::count(text.begin(), text.end(), '`') % 2 == 0 &&
         std::count(text.begin(), text.end(), '{') <= std::count(text.begin(), text.end(), '}');
}

bool ends_part(char c) {
  return word_byte(c) || std::string_view(")]};\"'`").find(c) != std::string_view::npos;
}

std::vector<MemoryAnswer::Item> sure_parts(std::span<const inference::MemoryGuess> guesses,
                                           const PartLimits& limits) {
  std::vector<MemoryAnswer::Item> out;
  for (const auto& guess : guesses) {
    double likely = 1;
    for (const auto& piece : guess.pieces) {
      likely *= static_cast<double>(piece.probability);
      const auto text = std::string_view(guess.text).substr(0, piece.end);
      if (likely < limits.part || text.find('\n') != std::string_view::npos) break;
      if (text.size() >= limits.bytes && ends_part(text.back()) && stands_alone(text)) {
        out.push_back({std::string(text), likely});
      }
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.text.size() > b.text.size(); });
  return out;
}

MemoryRole memory_role(const Config& config, const inference::BackendInfo& model) {
  const auto setting = config.text("completion.memory");
  if (setting == "off") return MemoryRole::kOff;
  if (setting == "lead") return MemoryRole::kLead;
  if (setting == "draft") return MemoryRole::kDraft;
  if (model.leaves_machine || model.backend == "scripted" || model.backend == "remote") {
    return MemoryRole::kDraft;
  }
  return model.weights_bytes < kSmallModelBytes ? MemoryRole::kLead : MemoryRole::kDraft;
}

namespace {

inference::MemoryQuery query_at(const AssistContext& context, const std::string& path,
                                std::string_view before, std::string_view after) {
  auto view = context.memory;
  if (!view) {
    // No repository: the file itself is all there is.
    view = inference::RepositoryMemory().view();
  }
  std::vector<std::string> texts;
  std::vector<inference::MemoryBuffer> open;
  texts.reserve(kMostOpenFiles);
  for (const auto& file : context.open_files) {
    if (file == path || open.size() == kMostOpenFiles) continue;
    auto text = context.snapshot->text(file);
    if (!text) continue;
    std::erase(*text, '\r');
    texts.push_back(indexer::redact_secrets(*text));
    open.push_back({file, texts.back()});
  }
  return {view, {path, before, after}, open};
}

}  // namespace

std::vector<inference::MemoryKey> likely_keys(const AssistContext& context, const std::string& path,
                                              std::string_view before, std::string_view after,
                                              std::span<const inference::MemoryKey> model) {
  auto out = query_at(context, path, before, after).likely_keys();
  if (model.empty()) return out;
  for (auto& key : out) key.probability /= 2;
  for (const auto& key : model) {
    const auto known = std::find_if(out.begin(), out.end(),
                                    [&](const auto& other) { return other.text == key.text; });
    if (known == out.end()) {
      out.push_back({key.text, key.probability / 2});
    } else {
      known->probability += key.probability / 2;
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.probability > b.probability; });
  return out;
}

MemoryAnswer ask_memory(const AssistContext& context, const std::string& path,
                        std::string_view before, std::string_view after, const Cleaner& cleaner,
                        std::size_t max_lines, const PartLimits& parts) {
  MemoryAnswer out;
  const auto query = query_at(context, path, before, after);
  if (query.inside_word()) {
    out.reason = "the cursor stands inside a word";
    out.inside_word = true;
    return out;
  }
  out.guesses = query.guess(kBeam, cleaner.single_line() ? 1 : max_lines);
  for (const auto& guess : out.guesses) {
    const auto cleaned = cleaner.clean(guess.text, true);
    if (cleaned.text.empty()) {
      if (out.reason.empty()) out.reason = cleaned.reason;
      continue;
    }
    const bool known = std::any_of(out.items.begin(), out.items.end(),
                                   [&](const auto& item) { return item.text == cleaned.text; });
    if (!known) out.items.push_back({cleaned.text, inference::guess_confidence(guess)});
  }
  std::stable_sort(out.items.begin(), out.items.end(),
                   [](const auto& a, const auto& b) { return a.confidence > b.confidence; });
  auto likely = sure_parts(out.guesses, parts);
  for (auto& part : likely) part.text = cleaner.clean(part.text, true).text;
  std::erase_if(likely, [](const auto& part) { return part.text.empty(); });
  if (out.items.empty() || out.items[0].confidence < parts.whole) {
    out.items.insert(out.items.begin(), likely.begin(), likely.end());
  } else {
    out.instead = std::move(likely);
  }
  if (out.reason.empty()) {
    out.reason = context.memory_building
                     ? "the repository is still being read, and nothing read so far is sure"
                     : "nothing in this repository tells how this goes on";
  }
  return out;
}

}  // namespace ambit::daemon
