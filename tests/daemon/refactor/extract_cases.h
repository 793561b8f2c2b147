// Extractions on one text: [[ ]] marks the selection; what is new is always called "extracted".
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "daemon/assists/refactor/extract.h"

namespace ambit::daemon {

using indexer::Language;

// The text afterwards, or "refused: " and why.
inline std::string extracted(Result<Extraction> (*how)(Language, std::string_view,
                                                       indexer::ByteSpan),
                             Language language, std::string text) {
  const auto begin = static_cast<std::uint32_t>(text.find("[["));
  text.erase(begin, 2);
  const auto end = static_cast<std::uint32_t>(text.rfind("]]"));
  text.erase(end, 2);
  auto made = how(language, text, {begin, end});
  if (!made) return "refused: " + made.error().message;
  const auto out = apply_edits(text, made->edits);
  if (!out) return "edits: " + out.error().message;
  EXPECT_TRUE(check_syntax({"a." + std::string(indexer::language_info(language).extensions.substr(
                                       0, indexer::language_info(language).extensions.find(' '))),
                            text, *out, 0644}));
  return *out;
}
inline std::string variable(Language language, const std::string& text) {
  return extracted(extract_variable, language, text);
}
inline std::string function(Language language, const std::string& text) {
  return extracted(extract_function, language, text);
}

}  // namespace ambit::daemon
