// The words of a completion request: docs/decisions/0001-prompt-text.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/assist.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::daemon {

enum class FimOrder { kPsm, kSpm };

// How a model wants to be asked; ambit.json beside its checkpoint says it.
struct PromptForm {
  FimOrder order = FimOrder::kPsm;
  std::int64_t most_tokens = 0;  // of prompt and answer; 0: as many as its window holds

  // Tokens for prompt and answer with a window of so many; 0: unknown.
  [[nodiscard]] std::int64_t limit(std::int64_t window) const;
};

struct CompletionPrompt {
  std::vector<inference::TokenId> ids;
  indexer::ContextPack pack;     // what stands before the current file
  std::int64_t file_tokens = 0;  // of the current file, around the cursor
  // What the answer begins with, for it stands before the cursor and was left out of `ids`.
  std::string healed;
  bool cold = false;  // the repository's part is small because the model reads still
};

// Tokens for the repository and for the current file, by the settings and the model's window.
struct PromptBudget {
  std::int64_t pack = 0, file = 0;
};
[[nodiscard]] PromptBudget prompt_budget(const Config& config, std::int64_t context_limit);

struct CurrentFile {
  std::string path;  // relative to the root, or a name for people
  std::string_view before, after;
};

// The part of the text before the cursor that fits: cut at a line start, in steps of a quarter of
// the budget, so that typing does not move the cut with every line. `bytes` is the budget.
[[nodiscard]] std::string_view window_before(std::string_view before, std::size_t bytes);
// Cut at a line end.
[[nodiscard]] std::string_view window_after(std::string_view after, std::size_t bytes);

// Before and after, each with placeholders for secrets, also for one that the cursor stands in.
struct RedactedFile {
  std::string before, after;
};
[[nodiscard]] RedactedFile without_secrets(std::string_view before, std::string_view after);

// Token healing: behind "ret" the model would have to go on with "urn", which it hardly ever saw
// after that token. So where `before` ends inside a word, its last token is taken off `ids` and
// returned; the answer must begin with it. Empty: nothing to heal.
[[nodiscard]] std::string take_half_word(const inference::Tokenizer& tokenizer,
                                         std::string_view before,
                                         std::vector<inference::TokenId>& ids);

// The same for models that see only usual tokens, by lines: where the last word of a line begins,
// punctuation and spaces being words of their own. Tokens end there, whatever follows. The line's
// end when that word is very long.
[[nodiscard]] std::size_t last_word(std::string_view line);

// A grammar of any text that begins with these bytes.
[[nodiscard]] std::string answer_beginning_with(std::string_view bytes);
// The tokens that end an answer.
[[nodiscard]] std::vector<inference::TokenId> answer_ends(const inference::Tokenizer& tokenizer);

// kUnsupported when the vocabulary has no fill-in-the-middle tokens. `window`: tokens that the
// model's window has for prompt and answer; 0: unknown. `heal`: the backend follows grammars.
[[nodiscard]] Result<CompletionPrompt> make_completion_prompt(const AssistContext& context,
                                                              const CurrentFile& file,
                                                              const PromptForm& form,
                                                              std::int64_t window, bool heal);

}  // namespace ambit::daemon
