// What a file counts as by its path alone: ignore rules, attributes, names that hold secrets.
#pragma once

#include <string_view>
#include <vector>

#include "indexer/filter.h"
#include "indexer/git/repository.h"

namespace ambit::indexer {

class PathRules {
 public:
  PathRules() = default;
  // Reads .ambitignore, every .gitattributes among `listed` (sorted by path) and, without a
  // repository, every .gitignore: git has left out what those of a repository name.
  [[nodiscard]] static PathRules of(const Repository& repo, const std::vector<WorkFile>& listed);
  [[nodiscard]] FileClass classify(const WorkFile& f) const;

 private:
  IgnoreRules ignore_;
  Attributes attributes_;
};

// Files that change what other files count as.
[[nodiscard]] bool is_rules_file(std::string_view path);
// Classes whose content is not looked at.
[[nodiscard]] bool never_read(FileClass c);

}  // namespace ambit::indexer
