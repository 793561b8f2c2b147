// The rest of the cursor's line as a small model of this machine would write it, and how likely
// each beginning of it is. While somebody types, it and the repository memory decide together
// (lead.cpp): the model knows names of packages that stand nowhere in the repository.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/assists/completion/completion.h"
#include "inference/memory/predictor.h"

namespace ambit::daemon {

struct ModelLine {
  // How likely it finds it that the line goes on with this, and a word at its end ends there. What
  // was not read is taken as likely as what stands before it. Nothing when it said nothing.
  [[nodiscard]] std::optional<double> likely(std::string_view text) const;

  // Of the line only; its pieces end where a word or what closes something ends, and their
  // probability counts that no more letters follow.
  inference::MemoryGuess guess;
  std::vector<inference::MemoryKey> keys;  // first characters, most likely first; no line breaks

  struct Rival {
    std::string text;  // of a token; behind the healed text
    double share = 0;  // among those that agree with the healed text
  };
  struct Step {
    std::size_t begin = 0;  // in the guess's text
    double likely = 1;      // of what stands before it
    std::vector<Rival> rivals;
  };
  std::vector<Step> steps;
};

// Reads one generation's tokens, each with its likely rivals. One thread.
class LineReader {
 public:
  // `healed`: what the text begins with, since it stands before the cursor already. Reading ends
  // when what was read is less likely than `least`.
  LineReader(std::shared_ptr<const inference::Tokenizer> tokenizer, std::string healed,
             double least);

  // False: nothing that follows matters any more.
  [[nodiscard]] bool push(const inference::GeneratedToken& token);
  [[nodiscard]] ModelLine take();

 private:
  void end_piece(std::size_t end, double likely);
  void count_keys(const std::vector<ModelLine::Rival>& rivals);

  const std::shared_ptr<const inference::Tokenizer> tokenizer_;
  std::string need_;  // of the healed text, not written again yet
  const double least_;
  double likely_ = 1;      // of all that was read
  double last_piece_ = 1;  // of the text up to the last piece
  ModelLine line_;
};

// How many rivals of each token a LineReader needs.
inline constexpr std::int32_t kRivals = 64;

// Can the model of this context be asked for a line while somebody types? One of this machine,
// ready and small.
[[nodiscard]] bool writes_lines(const AssistContext& context);

// Asks it. `done` is called once, on the model's thread or here; empty when it had nothing to say.
void ask_model_line(std::shared_ptr<const AssistContext> context, const CompletionRequest& request,
                    double least, std::function<void(ModelLine)> done);

}  // namespace ambit::daemon
