// A file of Rust as a module: where it stands in its crate, what it defines and brings in, and who
// may see that. Paths are absolute: "crate::a::b".
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

// "crate::a" of "crate::a::b"; "" of "crate".
[[nodiscard]] std::string rust_parent(std::string_view module);
// Whether `module` is `outer` or stands in it.
[[nodiscard]] bool rust_within(std::string_view module, std::string_view outer);

struct RustItem {
  std::uint32_t node = 0;
  std::string visibility;  // "", "pub", "pub(crate)", …
};

// One name that a `use` at the top of a file binds.
struct RustUse {
  std::string path;  // "crate::a::b" of what is in this crate, else as it is written
  std::string name;  // here; "_", or "*" for everything in `path`
  std::string visibility;
};

struct RustModule {
  SourceFile source;
  std::string path;  // "crate::a"
  std::string root;  // src/lib.rs or src/main.rs, from the repository's root
  std::multimap<std::string, RustItem> items;  // at its top
  std::vector<RustUse> uses;
  std::string macros;  // the words of macros at its top, which may define anything
  [[nodiscard]] const RustUse* use_of(std::string_view name) const;
};

// Follows the `mod` lines from src/lib.rs or src/main.rs. kInvalidArgument: the file is in no such
// crate or in two, a `mod` has a condition or a path of its own, the edition is 2015.
[[nodiscard]] Result<RustModule> load_rust_module(const indexer::Snapshot& snapshot,
                                                  const std::string& path);

// Whether code in `module` may name what `path` means ("crate::a::Name"); false also when that is
// not known.
[[nodiscard]] bool rust_visible(const indexer::Snapshot& snapshot, const RustModule& from,
                                const std::string& path, const std::string& module);
// The same of a module; a function may have the same path.
[[nodiscard]] bool rust_module_visible(const indexer::Snapshot& snapshot, const RustModule& from,
                                       const std::string& path, const std::string& module);
// The module that something of this visibility in `module` may be named in: "crate" for all.
[[nodiscard]] std::string rust_reach(std::string_view visibility, const std::string& module);

// Adds "use a::b" and its like behind the imports of a module, else behind what it begins with.
void add_rust_uses(const RustModule& module, const std::set<std::string>& lines, FileEdits& edits);

}  // namespace ambit::daemon
