#include "inference/weights/gguf_sidecar.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;

std::string_view word_of(Sidecar kind) {
  return kind == Sidecar::kDspark ? "dspark" : "mtp";
}

// The names that a model of this file may begin with, the longest first; none when the file is no
// such one.
std::vector<std::string> models_of(const fs::path& file, Sidecar kind) {
  if (file.extension() != ".gguf") return {};
  const std::string name = file.stem().string();
  std::string lower = name;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const std::string word(word_of(kind));
  if (const std::size_t mark = lower.find("-" + word); mark != std::string::npos && mark > 0) {
    return {name.substr(0, mark)};
  }
  if (!lower.starts_with(word + "-") || name.size() == word.size() + 1) return {};
  std::vector<std::string> out = {name.substr(word.size() + 1)};
  if (const std::size_t last = out.front().rfind('-'); last != std::string::npos && last > 0) {
    out.push_back(out.front().substr(0, last));
  }
  return out;
}

}  // namespace

bool is_sidecar_name(const fs::path& file) {
  return !models_of(file, Sidecar::kDspark).empty() || !models_of(file, Sidecar::kMtp).empty();
}

std::optional<fs::path> find_sidecar(const fs::path& model, Sidecar kind) {
  const std::string own = model.filename().string();
  std::vector<std::pair<std::size_t, fs::path>> found;  // letters in common
  std::error_code ec;
  const fs::path folder = model.has_parent_path() ? model.parent_path() : fs::path(".");
  for (fs::directory_iterator i(folder, ec), end; !ec && i != end; i.increment(ec)) {
    if (i->path().filename() == own) continue;
    for (const std::string& name : models_of(i->path(), kind)) {
      if (!own.starts_with(name)) continue;
      found.emplace_back(name.size(), i->path());
      break;
    }
  }
  if (found.empty()) return std::nullopt;
  return std::min_element(found.begin(), found.end(),
                          [](const auto& a, const auto& b) {
                            return a.first != b.first ? a.first > b.first : a.second < b.second;
                          })
      ->second;
}

fs::path sidecar_file(const fs::path& model, Sidecar kind) {
  fs::path out = model;
  return out.replace_filename(model.stem().string() + "-" + std::string(word_of(kind)) + ".gguf");
}

}  // namespace ambit::inference
