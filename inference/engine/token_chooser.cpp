#include "inference/engine/token_chooser.h"

#include <string>
#include <string_view>

namespace ambit::inference {

std::optional<TokenId> TokenChooser::choose(std::span<const float> logits,
                                            const GenerateRequest& request, std::uint64_t index,
                                            std::optional<GrammarMatcher>& grammar) {
  if (!grammar) return sampler_.sample(logits, request.sampling, index);
  if (!allow(*grammar, request.stop_ids)) return std::nullopt;
  return sampler_.sample(logits, request.sampling, index, allowed_);
}

void TokenChooser::accept(std::optional<GrammarMatcher>& grammar, TokenId id) const {
  if (!grammar) return;
  (void)grammar->accept(tokenizer_->token_bytes(id));
  if (grammar->allows_anything()) grammar.reset();
}

// Fills allowed_ with what the grammar lets come next. False when nothing may.
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
