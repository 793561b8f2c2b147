#include "daemon/assists/completion/prompt.h"

#include <algorithm>

#include "daemon/assists/completion/warm_prefix.h"
#include "daemon/assists/completion/words.h"
#include "daemon/scheduling/model_spec.h"
#include "indexer/secrets.h"

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

// Secrets are looked for so far beyond the window: a key of several lines is one by its first line.
constexpr std::size_t kSecretReach = 16384;

}  // namespace

std::int64_t PromptForm::limit(std::int64_t window) const {
  return window > 0 && most_tokens > 0 ? std::min(window, most_tokens)
                                       : std::max(window, most_tokens);
}

PromptBudget prompt_budget(const Config& config, std::int64_t context_limit) {
  PromptBudget out{config.integer("completion.context_tokens"),
                   config.integer("completion.file_tokens")};
  if (context_limit > 0) {
    const std::int64_t room =
        std::max<std::int64_t>(context_limit - config.integer("completion.max_tokens") - 8, 16);
    out.file = std::min(out.file, room * 2 / 3);
    out.pack = std::min(out.pack, room - out.file);
  }
  return out;
}

RedactedFile without_secrets(std::string_view before, std::string_view after) {
  const std::string whole = std::string(before) + std::string(after);
  RedactedFile out;
  std::size_t at = 0;
  const auto copy_to = [&](std::size_t end) {
    const std::string_view part = std::string_view(whole).substr(at, end - at);
    const std::size_t here = std::min(part.size(), before.size() - std::min(at, before.size()));
    out.before += part.substr(0, here);
    out.after += part.substr(here);
    at = end;
  };
  for (const auto& secret : indexer::find_secrets(whole)) {
    copy_to(secret.span.begin);
    (at < before.size() ? out.before : out.after) += indexer::secret_placeholder(secret, whole);
    at = secret.span.end;
  }
  copy_to(whole.size());
  return out;
}

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

std::string take_half_word(const inference::Tokenizer& tokenizer, std::string_view before,
                           std::vector<inference::TokenId>& ids) {
  if (ids.size() < 2 || before.empty() || !word_byte(before.back())) return {};
  const auto bytes = tokenizer.token_bytes(ids.back());
  if (!before.ends_with(bytes)) return {};
  ids.pop_back();
  return std::string(bytes);
}

std::size_t last_word(std::string_view line) {
  constexpr std::size_t kLongest = 48;  // bytes that the model has to write again
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  const auto is_letter = [](char c) { return word_byte(c) && c != '_'; };
  const auto is_mark = [&](char c) { return !is_space(c) && !is_letter(c); };
  std::size_t at = line.size();
  const auto back = [&](const auto& is) {
    while (at > 0 && is(line[at - 1])) --at;
  };
  if (at == 0) return at;
  if (is_letter(line[at - 1])) {
    back(is_letter);
    // A space or a single mark belongs to the word behind it: " word", ".word"; not " (" or "::".
    const bool joined = at > 0 && (is_space(line[at - 1]) || at == 1 || is_letter(line[at - 2]) ||
                                   line[at - 2] == '\t');
    if (joined) --at;
  } else if (is_mark(line[at - 1])) {
    back(is_mark);
    if (at > 0 && line[at - 1] == ' ') --at;
  } else {
    back(is_space);
  }
  return line.size() - at <= kLongest ? at : line.size();
}

std::string answer_beginning_with(std::string_view bytes) {
  std::string out = "root ::= \"";
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 15U]};
  }
  return out + "\" [\\x00-\\xff]*";
}

std::vector<inference::TokenId> answer_ends(const inference::Tokenizer& tokenizer) {
  const auto& special = tokenizer.special();
  std::vector<inference::TokenId> out;
  for (const auto id : {special.eos, special.fim_begin, special.fim_hole, special.fim_end}) {
    if (id >= 0) out.push_back(id);
  }
  return out;
}

Result<CompletionPrompt> make_completion_prompt(const AssistContext& context,
                                                const CurrentFile& file, const PromptForm& form,
                                                std::int64_t window, bool heal) {
  const auto tokenizer = context.scheduler->backend()->tokenizer();
  if (!tokenizer) return why_not_ready(*context.scheduler->backend());
  const auto& special = tokenizer->special();
  if (special.fim_begin < 0 || special.fim_hole < 0 || special.fim_end < 0) {
    return make_error(Code::kUnsupported,
                      "this model has no fill-in-the-middle tokens, so it cannot complete");
  }
  PromptBudget budget = prompt_budget(context.config, form.limit(window));

  CompletionPrompt out;
  if (context.warm && !context.warm->ready(budget.pack)) {
    out.cold = budget.pack > WarmPrefix::kColdTokens;
    budget.pack = std::min(budget.pack, WarmPrefix::kColdTokens);
  }
  if (context.packer && context.snapshot && budget.pack >= 32) {
    indexer::PackRequest request;
    request.path = file.path;
    request.cursor = static_cast<std::uint32_t>(file.before.size());
    request.budget_tokens = budget.pack;
    request.open_files = context.open_files;
    request.stream = context.stream;
    request.shared_tokens = shared_tokens_of(*context.tokens, tokenizer);
    auto pack = context.packer->pack(*context.snapshot, request,
                                     counter_of(*context.tokens, tokenizer), context.stop);
    if (!pack && pack.error().code == Code::kCancelled) return pack.error();
    // A pack that fails costs context, not the completion.
    if (pack) out.pack = std::move(*pack);
  }
  out.ids = prefix_ids(*context.tokens, tokenizer, out.pack.spans);

  const auto near = static_cast<std::size_t>(budget.file * 4) + kSecretReach;
  const RedactedFile clean =
      without_secrets(window_before(file.before, near), window_after(file.after, near));
  // Bytes first, by the least that a token is likely to hold, then exactly.
  const auto file_ids = [&](std::int64_t bytes_budget) {
    Ids ids;
    const auto before =
        with_lf(window_before(clean.before, static_cast<std::size_t>(bytes_budget * 3 / 4)));
    const auto after =
        with_lf(window_after(clean.after, static_cast<std::size_t>(bytes_budget / 4)));
    append(ids, *context.tokens->encode(tokenizer, "### " + file.path + "\n"));
    out.healed.clear();
    if (form.order == FimOrder::kPsm) {
      ids.push_back(special.fim_begin);
      Ids of_before = tokenizer->encode(before);
      if (heal && (after.empty() || !word_byte(after[0]))) {
        out.healed = take_half_word(*tokenizer, before, of_before);
      }
      append(ids, of_before);
      ids.push_back(special.fim_hole);
      append(ids, tokenizer->encode(after));
      ids.push_back(special.fim_end);
      return ids;
    }
    // By lines: what is typed of the line stands behind the last mark, and the answer brings the
    // line's end along.
    const std::string_view text = before, rest = after;
    const auto line = text.substr(text.rfind('\n') + 1);
    const auto typed = line.substr(0, heal ? last_word(line) : line.size());
    out.healed = line.substr(typed.size());
    const auto part = [&](inference::TokenId mark, std::string_view of) {
      ids.push_back(mark);
      append(ids, tokenizer->encode(of));
    };
    part(special.fim_hole, rest.starts_with('\n') ? rest.substr(1) : rest);
    part(special.fim_begin, text.substr(0, text.size() - line.size()));
    part(special.fim_end, typed);
    return ids;
  };
  std::int64_t bytes = budget.file * 4;
  Ids ids = file_ids(bytes);
  while (static_cast<std::int64_t>(ids.size()) > budget.file && bytes > 64) {
    bytes = bytes * 3 / 4;
    ids = file_ids(bytes);
  }
  out.file_tokens = static_cast<std::int64_t>(ids.size());
  append(out.ids, ids);
  return out;
}

}  // namespace ambit::daemon
