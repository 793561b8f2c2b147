// A file of Go: its package, its imports with the names that they have in it, and when it is built.
// An import has a name that its path does not always tell: what cannot be paired with the names in
// the file has none.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

struct GoImport {
  std::uint32_t node = 0;  // its import_spec
  std::string path;        // without quotes
  std::string name;        // that the file says; "" when it is not known, "_" or "."
  bool named = false;      // the name is written
};

struct GoFile {
  // kInvalidArgument when it does not parse.
  [[nodiscard]] static Result<GoFile> load(const indexer::Snapshot& snapshot,
                                           const std::string& path);

  [[nodiscard]] const indexer::SyntaxTree& tree() const { return *source.tree; }
  // Lines that say when the file is built, in front of its package.
  [[nodiscard]] std::string constraints() const;
  // Whether a variable has this name in the function around a place.
  [[nodiscard]] bool is_variable(std::string_view name, indexer::ByteSpan at) const;
  // Whether `name` stands in front of a dot somewhere inside (or outside) of a span, and is no
  // variable there. nullopt: a variable of that name makes it hard to tell.
  [[nodiscard]] std::optional<bool> says(const std::string& name, indexer::ByteSpan in,
                                         bool outside) const;

  // A key of a composite literal: a field or a value.
  [[nodiscard]] bool is_key(std::uint32_t node) const;
  // A name of its own, not one behind a dot nor one that is declared as a member.
  [[nodiscard]] bool is_plain(std::uint32_t node) const;

  SourceFile source;
  std::string package;
  std::uint32_t package_at = 0, package_end = 0;
  std::vector<GoImport> imports;
  std::vector<std::pair<std::string, indexer::ByteSpan>> qualifiers;  // X of X.y

 private:
  void read();
};

// The path that a folder's package is imported by, from the go.mod above it; nullopt without one.
[[nodiscard]] std::optional<std::string> go_import_path(const indexer::Snapshot& snapshot,
                                                        const std::string& folder);

// Which packages of a repository import which, tests included. Keeps a reference to the snapshot.
class GoImportGraph {
 public:
  explicit GoImportGraph(const indexer::Snapshot& snapshot) : snapshot_(snapshot) {}
  // Whether the package at one import path is or needs the other, over any number of packages.
  [[nodiscard]] bool reaches(const std::string& from, const std::string& to);

 private:
  const std::set<std::string>& imports_of(const std::string& path);

  const indexer::Snapshot& snapshot_;
  std::map<std::string, std::vector<std::string>> files_;  // of an import path; filled at first use
  std::map<std::string, std::set<std::string>> imports_;
};

// "_linux_arm64", "_test" of a file's name: when it is built. Go reads the last two words.
[[nodiscard]] std::set<std::string> go_name_conditions(std::string_view path);

// Takes these imports out of their file, with the declaration and the empty line that nobody needs
// without them.
void drop_go_imports(const GoFile& file, const std::vector<const GoImport*>& dropped,
                     FileEdits& edits);
// Puts another import in the place of one.
void replace_go_import(const GoFile& file, const GoImport& old, const GoImport& import,
                       FileEdits& edits);
// Adds those that the file does not have, each behind the last of its kind that sorts before it.
void add_go_imports(const GoFile& file, const std::vector<GoImport>& imports, FileEdits& edits);
// What a new file begins with behind its package, "" for none.
[[nodiscard]] std::string go_import_block(const std::vector<GoImport>& imports);

}  // namespace ambit::daemon
