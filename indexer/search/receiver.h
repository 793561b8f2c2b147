// The type of what stands left of a dot, as far as syntax alone tells: from the declaration of the
// variable, from what it is made with, from what a function says it returns. Simple names without
// arguments or path; "" when the syntax does not say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "indexer/search/snapshot.h"
#include "indexer/search/type_names.h"

namespace ambit::indexer {

class Receivers {
 public:
  Receivers(const SnapshotImpl& snapshot, std::string_view path, const ParsedText& parsed)
      : snapshot_(snapshot), path_(path), parsed_(parsed), text_(*parsed.text) {}

  struct Type {
    std::string name;
    bool bases_only = false;  // super.x
    // The value is an object literal that stands here: its keys are what it has. 0: it is not.
    std::uint32_t literal = 0;
  };
  // Of the expression that ends before `end` (the position of "." or "->").
  [[nodiscard]] Type before(std::size_t end, int depth = 0) const;
  // Of a whole expression: a literal, a cast, something made, or names and calls joined by dots.
  [[nodiscard]] Type of(ByteSpan expression, int depth = 0) const;

  // Names of the type and of what its definition names as bases, nearest first. A base that is
  // written with its scope keeps it: "Outer.Base".
  [[nodiscard]] std::vector<std::string> with_bases(const Type& type) const;
  // The name of the class around a position, "" outside of one.
  [[nodiscard]] std::string enclosing_class(std::uint32_t at) const;
  // The classes around a position, innermost first.
  [[nodiscard]] std::vector<std::string> enclosing_classes(std::uint32_t at) const;
  // The innermost and latest variable of that name which a use at [begin, end) can mean.
  [[nodiscard]] const Local* local(std::string_view name, std::size_t begin, std::size_t end) const;
  // Go: the struct whose field `name:` at [begin, end) sets in a literal; {} for no such key.
  [[nodiscard]] Type go_key_owner(std::size_t begin, std::size_t end) const;
  // Go: the import's name that stands before the dot at `dot`, "" when that is no package.
  [[nodiscard]] std::string_view go_package_of(std::size_t dot) const;
  // Go: path and offset where one of these types embeds a type of that name.
  [[nodiscard]] std::optional<std::pair<std::string, std::uint32_t>> go_embedded_field(
      const std::vector<std::string>& types, std::string_view name) const;

 private:
  [[nodiscard]] Type declared(std::string_view text, std::size_t name_begin, std::size_t name_end,
                              Language language, int depth, bool own_text) const;
  [[nodiscard]] Type made_by(std::string_view text, std::size_t at, int depth) const;
  [[nodiscard]] Type made_by_name(std::string_view name, int depth) const;
  // Of a member of a type or of its bases: what it is, or what it returns.
  [[nodiscard]] Type member_type(const Type& of, std::string_view name, int depth) const;
  [[nodiscard]] Type of_symbol(const Symbol& s, int depth) const;
  [[nodiscard]] Type returned(std::string_view function, std::string_view of_type, int depth) const;
  // receiver_go.cpp. Where `own_text`, the text is that of the file, and struct literals count.
  [[nodiscard]] Type go_type(std::string_view text, std::size_t at, bool own_text) const;
  [[nodiscard]] Type go_value(std::string_view text, std::size_t at, int depth,
                              bool own_text) const;
  [[nodiscard]] Type go_declared(std::string_view text, std::size_t name_begin,
                                 std::size_t name_end, int depth, bool own_text) const;
  [[nodiscard]] Type go_returned(std::string_view function, std::string_view package,
                                 int depth) const;
  struct Embedded {
    std::string name;
    std::uint32_t begin = 0;  // in its file
  };
  // What a struct or an interface embeds.
  [[nodiscard]] std::vector<Embedded> go_embedded(const Symbol& type) const;

  const SnapshotImpl& snapshot_;
  std::string_view path_;
  const ParsedText& parsed_;
  std::string_view text_;
};

}  // namespace ambit::indexer
