// What a refactor says when it does not do something: one line, before anything is changed.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/support/result.h"

namespace ambit::daemon {

[[nodiscard]] inline Error no(std::string why) {
  return make_error(Code::kInvalidArgument, std::move(why));
}
// At a line (0-based) of a file.
[[nodiscard]] inline Error refusal(const std::string& path, std::uint32_t line,
                                   const std::string& why) {
  return no(path + ":" + std::to_string(line + 1) + " " + why);
}
// "an if statement" for the grammar's "if_statement".
[[nodiscard]] inline std::string with_article(std::string_view type) {
  std::string words(type);
  std::replace(words.begin(), words.end(), '_', ' ');
  return (std::string_view("aeiou").find(words[0]) != std::string_view::npos ? "an " : "a ") +
         words;
}

}  // namespace ambit::daemon
