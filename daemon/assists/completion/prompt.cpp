#include "daemon/assists/completion/prompt.h"

#include <algorithm>

#include "daemon/scheduling/model_spec.h"

namespace ambit::daemon {

namespace {

using Ids = std::vector<inference::TokenId>;

void append(Ids& to, const Ids& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// Line ends are LF in prompts.
std::string with_lf(std::string_view text) {
  std::string out(text);
  std::erase(out, '\r');
  return out;
}

}  // namespace

std::string_view window_before(std::string_view before, std::size_t bytes) {
  if (before.size() <= bytes) return before;
  const std::size_t step = std::max<std::size_t>(bytes / 4, 1);
  const std::size_t surplus = before.size() - bytes;
  std::size_t cut = (surplus + step - 1) / step * step;
  cut = std::min(cut, before.size());
  const auto line_end = before.find('\n', cut);
  if (line_end != std::string_view::npos) {
    cut = line_end + 1;
  } else {
    // A single line longer than the budget is cut where the step falls, between characters.
    while (cut < before.size() && (static_cast<unsigned char>(before[cut]) & 0xC0U) == 0x80U) ++cut;
  }
  return before.substr(std::min(cut, before.size()));
}

std::string_view window_after(std::string_view after, std::size_t bytes) {
  if (after.size() <= bytes) return after;
  if (bytes == 0) return {};
  const auto line_end = after.rfind('\n', bytes - 1);
  if (line_end != std::string_view::npos) return after.substr(0, line_end + 1);
  // One line longer than the window (a minified file): cut it between characters.
  while (bytes > 0 && (static_cast<unsigned char>(after[bytes]) & 0xC0U) == 0x80U) --bytes;
  return after.substr(0, bytes);
}

Result<CompletionPrompt> make_completion_prompt(const AssistContext& context,
                                                const CurrentFile& file, FimOrder order,
                                                std::int64_t context_limit) {
  const auto tokenizer = context.scheduler->backend()->tokenizer();
  if (!tokenizer) return why_not_ready(*context.scheduler->backend());
  const auto& special = tokenizer->special();
  if (special.fim_begin < 0 || special.fim_hole < 0 || special.fim_end < 0) {
    return make_error(Code::kUnsupported,
                      "this model has no fill-in-the-middle tokens, so it cannot complete");
  }
  std::int64_t pack_budget = context.config.integer("completion.context_tokens");
  std::int64_t file_budget = context.config.integer("completion.file_tokens");
  if (context_limit > 0) {
    const std::int64_t room = std::max<std::int64_t>(
        context_limit - context.config.integer("completion.max_tokens") - 8, 16);
    file_budget = std::min(file_budget, room * 2 / 3);
    pack_budget = std::min(pack_budget, room - file_budget);
  }

  CompletionPrompt out;
  if (special.bos >= 0) out.ids.push_back(special.bos);
  if (context.packer && context.snapshot && pack_budget >= 32) {
    indexer::PackRequest request;
    request.path = file.path;
    request.cursor = static_cast<std::uint32_t>(file.before.size());
    request.budget_tokens = pack_budget;
    request.open_files = context.open_files;
    request.stream = context.stream;
    const auto count = [&](std::string_view text) {
      return static_cast<std::int64_t>(context.tokens->encode(tokenizer, text)->size());
    };
    auto pack = context.packer->pack(*context.snapshot, request, count, context.stop);
    if (!pack && pack.error().code == Code::kCancelled) return pack.error();
    // A pack that fails costs context, not the completion.
    if (pack) out.pack = std::move(*pack);
  }
  for (const auto& span : out.pack.spans) {
    append(out.ids, *context.tokens->encode(tokenizer, span.text));
  }

  // Bytes first, by the least that a token is likely to hold, then exactly.
  const auto file_ids = [&](std::int64_t bytes_budget) {
    Ids ids;
    const auto before =
        with_lf(window_before(file.before, static_cast<std::size_t>(bytes_budget * 3 / 4)));
    const auto after =
        with_lf(window_after(file.after, static_cast<std::size_t>(bytes_budget / 4)));
    append(ids, *context.tokens->encode(tokenizer, "### " + file.path + "\n"));
    ids.push_back(special.fim_begin);
    if (order == FimOrder::kPsm) append(ids, tokenizer->encode(before));
    ids.push_back(special.fim_hole);
    append(ids, tokenizer->encode(after));
    ids.push_back(special.fim_end);
    if (order == FimOrder::kSpm) append(ids, tokenizer->encode(before));
    return ids;
  };
  std::int64_t bytes = file_budget * 4;
  Ids ids = file_ids(bytes);
  while (static_cast<std::int64_t>(ids.size()) > file_budget && bytes > 64) {
    bytes = bytes * 3 / 4;
    ids = file_ids(bytes);
  }
  out.file_tokens = static_cast<std::int64_t>(ids.size());
  append(out.ids, ids);
  return out;
}

}  // namespace ambit::daemon
