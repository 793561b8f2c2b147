// What a signature changed by hand leaves to do: a parameter was added, taken out or renamed, and
// the calls and the other declarations still have the old list. Only what no longer fits is
// touched, so that what was put right already is not offered again. Nothing is guessed by a model.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "indexer/index.h"

namespace ambit::daemon {

struct SignatureChange {
  enum Kind { kAdded, kRemoved, kRenamed };
  indexer::Symbol definition;  // as it was saved
  Kind kind = kAdded;
  std::size_t at = 0;               // the parameter's place, a receiver not counted
  std::string from, to;             // its name as it was saved, and now
  std::string parameter;            // as it is written now, with its type; empty when it is gone
  bool optional = false;            // added with a default: calls fit without it
  std::vector<std::string> before;  // names of the saved parameters, a receiver not counted
};

// Of the functions of `path` that are there once, before and now, and take no variable number of
// arguments; one parameter each. At most three: more at once is another file, not an edit.
[[nodiscard]] std::vector<SignatureChange> find_signature_changes(const indexer::Snapshot& saved,
                                                                  const indexer::Snapshot& now,
                                                                  const std::string& path);

struct PlaceEdit {
  std::string path;
  indexer::ByteSpan span;  // in the text that `now` has
  std::string text;        // instead of it
};

// What makes them fit again, by path and place: a new argument is the parameter's name where the
// caller has something of that name, else the neutral value of its type, else its name.
[[nodiscard]] std::vector<PlaceEdit> fit_signature(const indexer::Snapshot& saved,
                                                   const indexer::Snapshot& now,
                                                   const std::string& path,
                                                   const SignatureChange& change,
                                                   std::size_t limit);

}  // namespace ambit::daemon
