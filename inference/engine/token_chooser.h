// The next token of an answer: sampled from the model's logits, among those that the request's
// grammar lets come next. Keeps its scratch between calls; one per model thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "inference/engine/grammar.h"
#include "inference/engine/sampler.h"
#include "inference/request.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {

// How the tokens behind the rows of a step are to be chosen, for a model that does it itself.
struct StepChoices {
  std::vector<ops::SampleRow> rows;
  std::vector<std::uint32_t> masks;
};

class TokenChooser {
 public:
  // tokenizer: may be null when no request has a grammar.
  TokenChooser(std::shared_ptr<const Tokenizer> tokenizer, std::size_t vocab)
      : tokenizer_(std::move(tokenizer)), vocab_(vocab) {}

  // The index-th token of an answer; none when the grammar lets nothing come. A stop may come where
  // the grammar lets the answer end.
  [[nodiscard]] std::optional<TokenId> choose(std::span<const float> logits,
                                              const GenerateRequest& request, std::uint64_t index,
                                              std::optional<GrammarMatcher>& grammar);
  // The same, asked before the step: of the index-th token and, each if all before it were chosen,
  // of those behind `drafts`. The grammar stays where it is. Rows that a grammar's refusal of a
  // draft leaves out of reach are chosen anyhow.
  void plan(const GenerateRequest& request, std::uint64_t index, std::span<const TokenId> drafts,
            std::optional<GrammarMatcher>& grammar, StepChoices& out);
  // The answer goes on with id. A grammar that binds no more is dropped.
  void accept(std::optional<GrammarMatcher>& grammar, TokenId id) const;

  [[nodiscard]] GeneratedToken describe(std::span<const float> logits, TokenId id,
                                        std::int32_t top) {
    return sampler_.describe(logits, id, top);
  }

 private:
  [[nodiscard]] bool allow(GrammarMatcher& grammar, std::span<const TokenId> stops);
  void keep_whole_words(const std::string& forced);

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::size_t vocab_;
  Sampler sampler_;
  std::optional<GrammarVocabulary> vocabulary_;  // made for the first grammar
  std::vector<std::uint8_t> allowed_;            // one byte a token, for the grammar
  std::vector<std::uint32_t> mask_;              // the same as bits
};

}  // namespace ambit::inference
