// Which nodes of a language's grammar matter to the extraction of an expression.
#pragma once

#include <set>
#include <string_view>

#include "indexer/syntax/languages.h"

namespace ambit::daemon {

// What one language's grammar calls things.
struct ExtractShape {
  std::set<std::string_view> expressions;  // what may be selected
  std::set<std::string_view> through;      // their children are evaluated once, whatever happens
  std::set<std::string_view> statements;   // where the way up ends well
  std::set<std::string_view> blocks;   // what a statement must stand in to get one in front of it
  std::set<std::string_view> effects;  // what can change something, or stop
};

// nullptr where a language has none. Lives as long as the process.
[[nodiscard]] const ExtractShape* extract_shape(indexer::Language language);

}  // namespace ambit::daemon
