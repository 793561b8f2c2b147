// The variables of one file of C or C++: which of one name is meant at a place, how its type is
// written, whether a place may change it. For extract_c.cpp.
#pragma once

#include <string>
#include <string_view>

#include "daemon/support/result.h"
#include "indexer/syntax/extract.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

struct CType {
  std::string base;                                      // "const struct a"
  std::string stars;                                     // "**"
  bool reference = false, array = false, plain = false;  // plain: a number or a pointer
};

[[nodiscard]] bool is_c_loop(std::string_view type);  // of a node

// Keeps references to what it is made from.
class CVariables {
 public:
  CVariables(const indexer::SyntaxTree& tree, std::string_view text, const indexer::Facts& facts,
             bool cpp)
      : tree_(tree), text_(text), facts_(facts), cpp_(cpp) {}

  // The innermost that is declared before this identifier; null for other names.
  [[nodiscard]] const indexer::Local* local_of(std::uint32_t node) const;
  // kInvalidArgument with the reason when it is not written in a plain way.
  [[nodiscard]] Result<CType> type_of(const indexer::Local& local) const;
  // The name at a node may get another value there, or somebody may keep its address.
  [[nodiscard]] bool changes(std::uint32_t node) const;
  // What a macro of this file stands for, "" for other names.
  [[nodiscard]] std::string macro_of(std::string_view name) const;

 private:
  [[nodiscard]] std::string_view slice(std::uint32_t i) const {
    return text_.substr(tree_[i].span.begin, tree_[i].span.size());
  }
  [[nodiscard]] indexer::ByteSpan scope_of(const indexer::Local& local) const;

  const indexer::SyntaxTree& tree_;
  std::string_view text_;
  const indexer::Facts& facts_;
  bool cpp_;
};

}  // namespace ambit::daemon
