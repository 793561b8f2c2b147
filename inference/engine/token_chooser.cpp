#include "inference/engine/token_chooser.h"

#include <string>
#include <string_view>

namespace ambit::inference {

std::optional<TokenId> TokenChooser::choose(std::span<const float> logits,
                                            const GenerateRequest& request, std::uint64_t index,
                                            std::optional<GrammarMatcher>& grammar) {
  if (!grammar) return sampler_.sample(logits, request.sampling, index);
  if (!allow(*grammar, request.stop_ids)) return std::nullopt;
  const TokenId id = sampler_.sample(logits, request.sampling, index, mask_);
  return id < 0 ? std::nullopt : std::optional(id);
}

void TokenChooser::plan(const GenerateRequest& request, std::uint64_t index,
                        std::span<const TokenId> drafts, std::optional<GrammarMatcher>& grammar,
                        StepChoices& out) {
  out.rows.clear();
  out.masks.clear();
  std::optional<GrammarMatcher> ahead;  // behind some drafts
  bool masked = grammar.has_value();
  for (std::size_t r = 0; r <= drafts.size(); ++r) {
    ops::SampleRow& row = out.rows.emplace_back(sample_row(request.sampling, index + r));
    if (!request.answer.empty()) row.given = request.answer[index + r];
    std::optional<GrammarMatcher>& here = r == 0 ? grammar : ahead;
    if (!masked || !here) continue;
    (void)allow(*here, request.stop_ids);
    row.mask = static_cast<std::int32_t>(out.masks.size() / mask_.size());
    out.masks.insert(out.masks.end(), mask_.begin(), mask_.end());
    if (r == drafts.size()) break;
    const auto draft = static_cast<std::size_t>(drafts[r]);
    masked = draft < allowed_.size() && allowed_[draft] != 0;
    if (!masked) continue;
    if (r == 0) ahead = grammar;
    accept(ahead, drafts[r]);
  }
}

void TokenChooser::accept(std::optional<GrammarMatcher>& grammar, TokenId id) const {
  if (!grammar) return;
  (void)grammar->accept(tokenizer_->token_bytes(id));
  if (grammar->allows_anything()) grammar.reset();
}

// Fills allowed_ and mask_ with what the grammar lets come next. False when nothing may.
bool TokenChooser::allow(GrammarMatcher& grammar, std::span<const TokenId> stops) {
  constexpr std::size_t kForcedBytes = 64;
  if (!vocabulary_) vocabulary_.emplace(*tokenizer_);
  bool any = grammar.allowed(*vocabulary_, allowed_);
  allowed_.resize(vocab_);
  keep_whole_words(grammar.forced(kForcedBytes));
  for (const TokenId id : stops) {
    if (id < 0 || static_cast<std::size_t>(id) >= allowed_.size()) continue;
    allowed_[static_cast<std::size_t>(id)] = grammar.can_end() ? 1 : 0;
    any = any || grammar.can_end();
  }
  mask_.assign(ops::mask_words(vocab_), 0);
  for (std::size_t i = 0; i < vocab_; ++i) {
    if (allowed_[i] != 0) mask_[i / 32] |= 1U << (i % 32);
  }
  return any;
}

// Text that must come is written in the tokens that it has in any text, not in shorter ones that
// the model has never seen there: of the tokens within it, only its first stays allowed. That may
// be another one where a word follows, since this takes the last of some spaces along.
void TokenChooser::keep_whole_words(const std::string& forced) {
  if (forced.size() < 2) return;
  const auto alone = tokenizer_->encode(forced).front();
  const auto before_word = tokenizer_->encode(forced + "a").front();
  for (std::size_t n = 1; n < forced.size(); ++n) {
    const auto id = tokenizer_->find(std::string_view(forced).substr(0, n));
    if (id && *id != alone && *id != before_word) allowed_[static_cast<std::size_t>(*id)] = 0;
  }
}

}  // namespace ambit::inference
