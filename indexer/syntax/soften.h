// Words that the C and C++ grammars cannot place, because they are macros: annotations such as
// LIB_EXPORT, GUARDED_BY(mu) or __init, and directives inside of lists and parentheses. Parsing
// them costs more than anything else in such a file (error recovery), and what stands around them
// is then not understood. They are blanked in a copy, so every position stays what it was.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "indexer/syntax/languages.h"
#include "indexer/syntax/skim.h"
#include "indexer/types.h"

namespace ambit::indexer {

struct Softened {
  std::string text;               // as long as the original, but for the cuts
  Cuts cuts;                      // of an outline: what was left out
  std::vector<ByteSpan> words;    // identifiers that were blanked, in order: still mentions
  std::vector<MacroLine> macros;  // #define lines that the parser does not see, in order
  void clear() {
    cuts.clear();
    words.clear();
    macros.clear();
  }
};

// False when there is nothing to do (other languages too); `out` is then unspecified.
[[nodiscard]] bool soften(Language language, std::string_view text, Softened& out);
// Of a Kotlin file; soften() calls it.
[[nodiscard]] bool soften_kotlin(std::string_view text, Softened& out);
// The same for a parse that only has to find definitions: `words` are then those of the cuts too.
[[nodiscard]] bool soften_outline(Language language, std::string_view text, Softened& out);

}  // namespace ambit::indexer
