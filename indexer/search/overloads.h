// Which of several functions of one name a call means: by the number of its arguments, then by what
// is known of their types.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/search/receiver.h"

namespace ambit::indexer {

// The arguments of the call whose name ends at `name_end`; nothing when no call stands there.
[[nodiscard]] std::optional<std::vector<ByteSpan>> arguments_behind(std::string_view text,
                                                                    std::size_t name_end);

struct Parameter {
  std::string type;  // as simple_type() says; "" when it is not written
  bool array = false;
};
struct Parameters {
  std::vector<Parameter> all;
  std::size_t required = 0;  // the others have a default
  bool any_more = false;     // the last may stand for any number
};
// From the signature of a function or constructor; nothing when that does not say.
[[nodiscard]] std::optional<Parameters> parameters_of(const Symbol& function, Language language);

// A call in a language where the signature has to fit.
class Call {
 public:
  // `text` and `receivers` outlive it.
  Call(const Receivers& receivers, Language language, std::string_view text, std::size_t name_end);
  // What speaks for a function, below 0: against it. 0 when nothing is known.
  [[nodiscard]] double fit(const Symbol& function, Language its_language) const;

 private:
  struct Argument {
    std::vector<std::string> types;  // its own and those of its bases, nearest first
    bool literal_function = false, null = false;
  };
  std::optional<std::vector<Argument>> arguments_;
};

}  // namespace ambit::indexer
