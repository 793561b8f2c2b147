// PCRE2 with bounds on the work per search, so that an expression in a script cannot hang a test.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::inference {

class Regex {
 public:
  [[nodiscard]] static Result<Regex> compile(std::string_view pattern);
  // Whether it is found anywhere in text; groups gets the match and its first nine groups. A search
  // beyond the bounds counts as not found.
  [[nodiscard]] bool search(std::string_view text, std::vector<std::string>& groups) const;

 private:
  std::shared_ptr<void> code_;
};

}  // namespace ambit::inference
