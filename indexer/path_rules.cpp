#include "indexer/path_rules.h"

namespace ambit::indexer {
namespace {

constexpr std::uint64_t kMaxRules = std::uint64_t{1} << 20;  // bytes of one file of rules

// What an apply writes beside a file before it takes its place (assists/refactor/journal.h).
bool half_written(std::string_view path) {
  return path.substr(path.rfind('/') + 1).starts_with(".ambit-") && path.ends_with(".tmp");
}

}  // namespace

PathRules PathRules::of(const Repository& repo, const std::vector<WorkFile>& listed) {
  PathRules out;
  for (const auto& f : listed) {  // sorted, so those of a folder come before those below it
    const auto name = f.path.substr(f.path.rfind('/') + 1);
    const bool ignores = name == ".gitignore" && !repo.is_git();
    if (name != ".gitattributes" && !ignores) continue;
    const auto folder = f.path.substr(0, f.path.size() - name.size());
    const auto base = folder.empty() ? folder : folder.substr(0, folder.size() - 1);
    if (auto text = repo.read(f.path, kMaxRules))
      ignores ? out.ignore_.add(*text, base) : out.attributes_.add(*text, base);
  }
  if (auto text = repo.read(".ambitignore", kMaxRules)) out.ignore_.add(*text);
  return out;
}

FileClass PathRules::classify(const WorkFile& f) const {
  if (f.kind == FileKind::kSymlink) return FileClass::kSymlink;
  if (f.kind == FileKind::kSubmodule) return FileClass::kSubmodule;
  if (ignore_.ignored(f.path) || half_written(f.path)) return FileClass::kIgnored;
  const auto by_path = classify_path(f.path);
  if (by_path == FileClass::kSecret || attributes_.empty()) return by_path;
  if (attributes_.is_set(f.path, "binary")) return FileClass::kBinary;
  if (attributes_.is_set(f.path, "linguist-generated")) return FileClass::kGenerated;
  if (attributes_.is_set(f.path, "linguist-vendored")) return FileClass::kVendored;
  return by_path;
}

bool is_rules_file(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  return path == ".ambitignore" || name == ".gitattributes" || name == ".gitignore";
}

bool never_read(FileClass c) {
  return c == FileClass::kSymlink || c == FileClass::kSubmodule || c == FileClass::kIgnored ||
         c == FileClass::kSecret || c == FileClass::kBinary || c == FileClass::kMinified;
}

}  // namespace ambit::indexer
