// From a syntax tree to facts, by the rules of its language. For indexer/syntax only.
#pragma once

#include <tree_sitter/api.h>

#include <string_view>

#include "indexer/syntax/extract.h"
#include "indexer/syntax/grammars.h"

namespace ambit::indexer {

// `text` is what was parsed. Definitions come in the order of their names, mentions nearly so.
void walk_tree(const Grammar& g, TSNode root, std::string_view text, Facts& out);

}  // namespace ambit::indexer
