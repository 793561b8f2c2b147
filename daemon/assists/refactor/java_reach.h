// What a piece of Java reaches of its package, and what its package reaches of it: package-private
// and protected names are out of reach for another package.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/assists/refactor/java_file.h"

namespace ambit::daemon {

// The files of a repository by their package, each parsed once. Not thread-safe.
class JavaPackages {
 public:
  explicit JavaPackages(const indexer::Snapshot& snapshot);

  [[nodiscard]] const std::vector<std::string>& files_of(const std::string& package) const;
  [[nodiscard]] const std::vector<std::string>& all() const { return all_; }  // paths, sorted
  [[nodiscard]] std::string package_of(const std::string& path) const;
  // The folder that a file's package begins in: "src/main/java/"; nullopt when its folders do not
  // say its package.
  [[nodiscard]] std::optional<std::string> root_of(const std::string& path) const;
  // The file that defines a type at its top; "" for none.
  [[nodiscard]] std::string home_of(const std::string& package, const std::string& type) const;
  [[nodiscard]] Result<const JavaFile*> file(const std::string& path);
  [[nodiscard]] const indexer::Snapshot& snapshot() const { return snapshot_; }

 private:
  const indexer::Snapshot& snapshot_;
  std::map<std::string, std::vector<std::string>> files_;
  std::map<std::string, std::string> packages_;  // of a path
  std::vector<std::string> all_;
  std::map<std::string, JavaFile> loaded_;
};

// A part of a file that will be in another package: a type, or a method.
struct JavaPart {
  const JavaFile* file = nullptr;
  std::uint32_t node = 0;            // its declaration
  indexer::ByteSpan span;            // with its comment
  std::vector<std::string> parents;  // that its type extends
};

// new NAME(…), NAME::new
[[nodiscard]] bool java_makes(const JavaFile& file, std::uint32_t name);

// Simple names that the part says: of types, or of what may be one.
[[nodiscard]] std::set<std::string> java_names_in(const JavaPart& part);
// Whether its comments or its code say a word.
[[nodiscard]] bool java_part_says(const JavaPart& part, std::string_view word);

// kInvalidArgument, with the place, when the part uses what only its own package may.
[[nodiscard]] Result<void> check_java_uses(JavaPackages& packages, const JavaPart& part);
// The same when its package uses what only the package of a type may, which is no longer theirs.
[[nodiscard]] Result<void> check_java_users(JavaPackages& packages, const JavaPart& type);

// Lines that a file of `package` needs to say what the part says, outside of `part` itself.
// kInvalidArgument when a name would mean something else there.
[[nodiscard]] Result<std::set<std::string>> java_imports_for(JavaPackages& packages,
                                                             const JavaPart& part,
                                                             const std::string& package);

}  // namespace ambit::daemon
