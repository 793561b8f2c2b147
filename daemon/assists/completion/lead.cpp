#include "daemon/assists/completion/lead.h"

#include <algorithm>
#include <cmath>

#include "daemon/assists/completion/check.h"
#include "daemon/assists/completion/memory.h"

namespace ambit::daemon {

namespace {

// Each costs as much as an answer: some ten milliseconds of one core.
constexpr std::size_t kMostKeys = 5;
constexpr double kLikelyKey = 0.04;

std::string with_lf(std::string_view text) {
  std::string out(text);
  std::erase(out, '\r');
  return out;
}

CompletionOutcome at(const AssistContext& context, const CompletionRequest& request) {
  const auto before = with_lf(std::string_view(*request.text).substr(0, request.cursor));
  const auto after = with_lf(std::string_view(*request.text).substr(request.cursor));
  Cleaner::Options options;
  options.max_lines = static_cast<std::size_t>(context.config.integer("completion.max_lines"));
  const Cleaner cleaner(request.path, before, after, options);
  return complete_from_memory(context, request, before, after, cleaner, options.max_lines);
}

}  // namespace

CompletionOutcome complete_from_memory(const AssistContext& context,
                                       const CompletionRequest& request, std::string_view before,
                                       std::string_view after, const Cleaner& cleaner,
                                       std::size_t max_lines) {
  CompletionOutcome outcome;
  const auto answer = ask_memory(context, request.path, before, after, cleaner, max_lines,
                                 request.asked ? kPartsWhenAsked : kPartsWhileTyping);
  outcome.cancelled = context.stop.stop_requested();
  ItemCheck check(context.snapshot, request.path, std::string(before), std::string(after));
  std::string_view unfit;
  for (const auto& item : answer.items) {
    if (outcome.items.size() == static_cast<std::size_t>(request.items)) break;
    if (item.confidence < (request.asked ? kShowWhenAsked : kShowWhileTyping)) break;
    const auto verdict = check.check(item.text, 0);
    if (verdict.text.empty()) {
      unfit = verdict.reason;
    } else {
      outcome.items.push_back({verdict.text, std::log(item.confidence), "repository"});
    }
  }
  if (outcome.items.empty()) outcome.reason = unfit.empty() ? answer.reason : unfit;
  return outcome;
}

void complete_ahead(const AssistContext& context, const CompletionRequest& request,
                    std::string_view shown, const std::function<void(AheadItem)>& add) {
  // The item for the document with `typed` at the cursor; false when there is none.
  const auto after_typing = [&](std::string_view typed) {
    CompletionRequest next = request;
    auto text = std::make_shared<std::string>(*request.text);
    text->insert(request.cursor, typed);
    next.text = text;
    next.cursor = request.cursor + typed.size();
    auto outcome = at(context, next);
    if (outcome.items.empty() || context.stop.stop_requested()) return false;
    add({text, next.cursor, std::move(outcome.items.front().text)});
    return true;
  };
  const bool crlf = request.text->find('\r') != std::string::npos;
  const auto before = with_lf(std::string_view(*request.text).substr(0, request.cursor));
  const auto after = with_lf(std::string_view(*request.text).substr(request.cursor));
  std::size_t keys = 0;
  for (const auto& key : memory_keys(context, request.path, before, after)) {
    if (context.stop.stop_requested() || keys == kMostKeys || key.probability < kLikelyKey) break;
    if (shown.starts_with(key.text) || (crlf && key.text[0] == '\n')) continue;
    (void)after_typing(key.text);
    ++keys;
  }
  if (shown.empty() || context.stop.stop_requested() || (crlf && shown.find('\n') != shown.npos)) {
    return;
  }
  if (after_typing(shown)) return;
  // Nothing follows on its line: the next one, as deep as that.
  const auto rest = std::string_view(after).substr(0, after.find('\n'));
  if (crlf || !rest.empty() || context.stop.stop_requested()) return;
  const std::string item(shown);
  auto line = before + item;
  line.erase(0, line.rfind('\n') + 1);
  line.erase(std::min(line.find_first_not_of(" \t"), line.size()));
  (void)after_typing(item + "\n" + line);
}

}  // namespace ambit::daemon
