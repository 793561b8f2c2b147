// Extract to a variable or a function, by syntax alone: offered only where the shape of the code
// leaves no doubt that the program does the same afterwards. Everything else is refused with one
// line that says why.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/edits.h"

namespace ambit::daemon {

struct Extraction {
  std::string name;  // of what is new: "extracted", with a number when that is taken
  std::vector<TextEdit> edits;
};

// The selection (blanks around it do not count) is an expression that its statement evaluates
// exactly once, before anything else that has an effect. C++, Python, JavaScript, TypeScript, Java,
// Go and Rust. kInvalidArgument with the reason, kUnsupported for other languages.
[[nodiscard]] Result<Extraction> extract_variable(indexer::Language language, std::string_view text,
                                                  indexer::ByteSpan selection);

// The selection is a run of whole statements of one function without jumps out of it. What they
// read becomes parameters, what they leave for later is returned. Python and JavaScript; C, C++,
// Go, Java, Rust and TypeScript where the types of these variables are written down. kUnsupported
// for other languages.
[[nodiscard]] Result<Extraction> extract_function(indexer::Language language, std::string_view text,
                                                  indexer::ByteSpan selection);
// Its part for C and C++: free functions that are no templates. `selection` is trimmed.
[[nodiscard]] Result<Extraction> extract_c_function(indexer::Language language,
                                                    std::string_view text,
                                                    indexer::ByteSpan selection);
// And for Go: functions and methods without type parameters.
[[nodiscard]] Result<Extraction> extract_go_function(std::string_view text,
                                                     indexer::ByteSpan selection);
// Java: methods without type parameters. Rust: where what goes in are numbers and references.
[[nodiscard]] Result<Extraction> extract_java_method(std::string_view text,
                                                     indexer::ByteSpan selection);
[[nodiscard]] Result<Extraction> extract_rust_function(std::string_view text,
                                                       indexer::ByteSpan selection);

// Shared by them: a name that stands nowhere in the text.
[[nodiscard]] std::string unused_name(std::string_view text, std::string_view wanted);
// The selection without blanks at its ends; empty when there is nothing else.
[[nodiscard]] indexer::ByteSpan trimmed(std::string_view text, indexer::ByteSpan span);
// The blanks in front of a line's first character, nullopt when something else stands there.
[[nodiscard]] std::optional<std::string> indent_before(std::string_view text, std::size_t at);

// The lines of the selection, each with a line end, with `indent` in place of what the first one
// has.
[[nodiscard]] std::string indented_lines(std::string_view text, indexer::ByteSpan selection,
                                         const std::string& had, const std::string& indent);

}  // namespace ambit::daemon
