// A new signature at one place: a declaration, or a call. Inside of signature.cpp only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/edits.h"
#include "daemon/assists/refactor/parameters.h"
#include "daemon/assists/refactor/refactor.h"
#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

// What becomes of the parameters of one function.
struct NewSignature {
  explicit NewSignature(const Instruction& instruction) : asked(instruction) {}

  const Instruction& asked;
  indexer::Language language = indexer::Language::kNone;
  std::string scope;               // the class of a method
  std::vector<Parameter> known;    // of the definition
  Parameter fresh;                 // what is added
  std::size_t at = 0;              // where in `known` it goes, or what goes
  std::size_t position = 0;        // of its argument; npos: by name only
  std::vector<std::size_t> order;  // what stands at each place of `known`
};

// The edits of one text. A list may stand in a piece of another one: lists are changed from the
// last to the first, so that what moves takes its changes along.
class NestedEdits {
 public:
  explicit NestedEdits(std::string_view text) : text_(text) {}
  // Takes the place of what was put inside of the span before.
  void edit(indexer::ByteSpan span, std::string words);
  // The text of a span with the edits inside of it.
  [[nodiscard]] std::string changed(indexer::ByteSpan span) const;
  [[nodiscard]] const std::vector<TextEdit>& all() const { return edits_; }

 private:
  std::string_view text_;
  std::vector<TextEdit> edits_;
};

// kInvalidArgument, with the place, when it has another number of parameters. `without_default`:
// the value of a new one stands elsewhere.
[[nodiscard]] Result<void> change_declaration(const NewSignature& signature, const SourceFile& file,
                                              indexer::ByteSpan name, const ListPieces& list,
                                              bool without_default, NestedEdits& edits);

// kInvalidArgument, with the place, when it cannot be told which argument is which; `notes` get
// what is different for who runs the program.
[[nodiscard]] Result<void> change_call(const NewSignature& signature, const SourceFile& file,
                                       indexer::ByteSpan name, const ListPieces& list,
                                       std::vector<std::string>& notes, NestedEdits& edits);

}  // namespace ambit::daemon
