// Modifiers of Kotlin that its grammar takes for names: those of multiplatform code, and the one of
// annotation classes behind an annotation with arguments. Blanked, the declaration is understood.
#include <algorithm>
#include <array>

#include "indexer/syntax/c_text.h"
#include "indexer/syntax/soften.h"

namespace ambit::indexer {
namespace {

// What may follow such a modifier.
constexpr std::array kStarts = std::to_array<std::string_view>(
    {"abstract",  "annotation", "class",     "companion", "constructor", "const",
     "data",      "enum",       "fun",       "infix",     "inline",      "inner",
     "interface", "internal",   "lateinit",  "object",    "open",        "operator",
     "override",  "private",    "protected", "public",    "sealed",      "suspend",
     "tailrec",   "typealias",  "val",       "value",     "var"});

std::string_view word_at(std::string_view text, std::size_t at) {
  auto end = at;
  while (end < text.size() && word_byte(text[end])) ++end;
  return text.substr(at, end - at);
}

}  // namespace

bool soften_kotlin(std::string_view text, Softened& out) {
  out.clear();
  out.text.clear();
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '/' && skip_comment(text, at)) continue;
    if (c == '"') {
      if (text.substr(at).starts_with("\"\"\"")) {
        const auto end = text.find("\"\"\"", at + 3);
        at = end == std::string_view::npos ? text.size() : end + 3;
      } else {
        at = skip_string(text, at);
      }
      continue;
    }
    const auto word = word_at(text, at);
    if (word.empty()) {
      ++at;
      continue;
    }
    const auto next = at + word.size();
    if (word == "actual" || word == "expect" || word == "annotation") {
      const auto follows =
          word_at(text, std::min(text.find_first_not_of(" \t", next), text.size()));
      const bool modifier = word == "annotation" ? follows == "class"
                                                 : std::find(kStarts.begin(), kStarts.end(),
                                                             follows) != kStarts.end();
      if (modifier) {
        if (out.text.empty()) out.text = text;
        std::fill_n(out.text.begin() + static_cast<std::ptrdiff_t>(at), word.size(), ' ');
      }
    }
    at = next;
  }
  return !out.text.empty();
}

}  // namespace ambit::indexer
