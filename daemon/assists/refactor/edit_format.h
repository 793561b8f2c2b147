// How a model writes edits. Lines of our own begin in the first column; everything else between
// them is code, word for word, so that most of an answer repeats the file and can be drafted:
//
//   step: what this step does
//   index: rename A to B              carried out by the index, exactly (refactor.h)
//   edit: PATH
//   @@ old
//   lines that stand in the file exactly once
//   @@ new
//   lines that take their place
//   @@ end
//   create: PATH
//   @@ new
//   the whole file
//   @@ end
//
// Reading is strict: what does not fit is dropped with one line that says why, and never guessed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ambit::daemon {

struct ModelEdit {
  std::string path, old_text, new_text;  // whole lines with '\n'
  bool create = false;
};

struct ModelStep {
  std::string title;        // one printable line
  std::string instruction;  // for the index, "" for none
  std::vector<ModelEdit> edits;
};

struct ModelSteps {
  std::vector<ModelStep> steps;
  std::vector<std::string> problems;
};

// At most 64 steps, 500 edits and 4 MiB are read.
[[nodiscard]] ModelSteps read_model_steps(std::string_view answer);

// The lines between "@@ new" and "@@ end", when there is exactly one such pair.
[[nodiscard]] std::optional<std::string> read_replacement(std::string_view answer);

// What a prompt says about the format.
[[nodiscard]] std::string_view steps_format();
[[nodiscard]] std::string_view replacement_format();

// One printable line of at most `most` bytes.
[[nodiscard]] std::string printable_line(std::string_view text, std::size_t most);

}  // namespace ambit::daemon
