// A file of Java: its package, its imports, and what its types let others see.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

enum class JavaAccess { kPublic, kProtected, kPackage, kPrivate };

struct JavaImport {
  std::uint32_t node = 0;
  std::string path;  // "a.b.C", "a.b" of "a.b.*"
  bool is_static = false, star = false;
  // What it brings in, "" for a star.
  [[nodiscard]] std::string name() const;
};

// A field, method, constructor or nested type, with those of nested types.
struct JavaMember {
  std::uint32_t node = 0;
  std::string name;
  JavaAccess access = JavaAccess::kPackage;
  bool constructor = false, is_static = false;
};

struct JavaFile {
  // kInvalidArgument when it does not parse.
  [[nodiscard]] static Result<JavaFile> load(const indexer::Snapshot& snapshot,
                                             const std::string& path);

  [[nodiscard]] const indexer::SyntaxTree& tree() const { return *source.tree; }
  [[nodiscard]] std::string_view slice(std::uint32_t i) const { return source.slice(i); }
  [[nodiscard]] bool is_type(std::uint32_t node) const;  // its declaration
  [[nodiscard]] std::string name_of(std::uint32_t node) const;
  [[nodiscard]] JavaAccess access_of(std::uint32_t node) const;
  // Whether a declaration says this word: "static", "public".
  [[nodiscard]] bool says(std::uint32_t node, std::string_view modifier) const;
  [[nodiscard]] std::vector<JavaMember> members_of(std::uint32_t type) const;
  // Types that a declaration extends or implements, as they are written.
  [[nodiscard]] std::vector<std::string> parents_of(std::uint32_t type) const;
  // The import that a simple name means, static ones aside; null for none.
  [[nodiscard]] const JavaImport* import_of(std::string_view name) const;
  // Whether a type's simple name means the type of that package, nested ones aside.
  [[nodiscard]] bool means(const std::string& of_package, const std::string& name) const;
  // A nested type, a type parameter or a variable of this name, inside of a span.
  [[nodiscard]] bool declares(std::string_view name, indexer::ByteSpan in) const;
  // A name, and not one behind a dot or "::".
  [[nodiscard]] bool is_simple_name(std::uint32_t node) const;
  [[nodiscard]] bool is_comment(std::uint32_t node) const;

  SourceFile source;
  std::string package;
  std::uint32_t package_node = indexer::kNoNode;
  std::vector<JavaImport> imports;
  std::vector<std::uint32_t> types;  // at its top
};

// The package that a text says, "" for none, without a parse.
[[nodiscard]] std::string java_package_of(std::string_view text);

// Adds import lines ("import a.B;") that are not there, each behind the last of its kind that sorts
// before it.
void add_java_imports(const JavaFile& file, const std::set<std::string>& lines, FileEdits& edits);

}  // namespace ambit::daemon
