// The tokens of an answer: what a request's next step computes, its drafts among it, and what the
// rows that come back decide. Nothing here depends on who shares the step. One per model thread.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "inference/engine/job.h"
#include "inference/engine/token_chooser.h"
#include "inference/model/step_model.h"

namespace ambit::inference {

class Decoder {
 public:
  // model must outlive it. most_rows: of one request's step. tokenizer: as of TokenChooser.
  Decoder(StepModel& model, std::shared_ptr<const Tokenizer> tokenizer, bool speculate,
          std::size_t most_rows);

  // The prompt is computed: the answer begins.
  void begin(Job& job) const;
  // Sets job.step_ids: the token that was decided last, and drafts of those behind it.
  void plan(Job& job);
  // Where the model chooses, what it is to choose behind the rows of `in`.
  void plan_choices(Job& job, StepInput& in);
  // Decides tokens by the step's rows, tells the request of them, and rolls rejected drafts back.
  // How the request ended, if it did.
  [[nodiscard]] std::optional<Finish> take(Job& job, const StepOutput& rows);

 private:
  [[nodiscard]] std::optional<TokenId> choose(Job& job, const StepOutput& rows, std::size_t row);

  StepModel* model_;
  TokenChooser chooser_;
  bool speculate_;
  std::size_t most_rows_;
  std::vector<GeneratedToken> tokens_;
  std::vector<TokenId> accepted_;
};

}  // namespace ambit::inference
