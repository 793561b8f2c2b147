#include "indexer/context/lookup.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace ambit::indexer::context {
namespace {

constexpr std::size_t kKeyBytes = 4;

// The first four bytes as a number that sorts like them; `fill` for those that are not there.
std::uint32_t beginning(std::string_view s, std::uint8_t fill) {
  std::uint32_t key = 0;
  for (std::size_t i = 0; i < kKeyBytes; ++i) {
    key = key << 8U | (i < s.size() ? static_cast<std::uint8_t>(s[i]) : fill);
  }
  return key;
}

// A package's own file goes by its folder's name.
bool stands_for_folder(std::string_view s) {
  return s == "mod" || s == "__init__" || s == "index";
}

}  // namespace

std::string_view folder(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view stem(std::string_view path) {
  const auto slash = path.find_last_of("/\\:");
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  const auto dot = path.find('.');
  return dot == std::string_view::npos || dot == 0 ? path : path.substr(0, dot);
}

float closeness(std::string_view a, std::string_view b) {
  if (a == b) return 1.0F;
  std::size_t common = 0;
  std::size_t depth_a = 1;
  std::size_t depth_b = 1;
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  while (i < n && a[i] == b[i]) {
    common += a[i] == '/' ? 1 : 0;
    ++i;
  }
  if (i == n && (a.size() == n || a[n] == '/') && (b.size() == n || b[n] == '/')) ++common;
  depth_a += static_cast<std::size_t>(std::count(a.begin(), a.end(), '/'));
  depth_b += static_cast<std::size_t>(std::count(b.begin(), b.end(), '/'));
  return static_cast<float>(common) / static_cast<float>(std::max(depth_a, depth_b) + 1);
}

void Lookup::update(const std::vector<std::string>& paths,
                    const std::vector<const std::string*>& names) {
  const auto known = static_cast<std::ptrdiff_t>(by_beginning_.size());
  for (std::size_t n = by_beginning_.size(); n < names.size(); ++n) {
    by_beginning_.push_back(std::uint64_t{beginning(*names[n], 0)} << 32U | n);
  }
  std::sort(by_beginning_.begin() + known, by_beginning_.end());
  std::inplace_merge(by_beginning_.begin(), by_beginning_.begin() + known, by_beginning_.end());

  by_stem_.clear();
  folders_.clear();
  folder_of_.clear();
  const std::hash<std::string_view> hash;
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  for (FileNumber f = 0; f < paths.size(); ++f) {
    const std::string_view path = paths[f];
    by_stem_.emplace_back(hash(stem(path)), f);
    if (stands_for_folder(stem(path))) by_stem_.emplace_back(hash(stem(folder(path))), f);
    const auto [it, fresh] =
        numbers.try_emplace(folder(path), static_cast<std::uint32_t>(folders_.size()));
    if (fresh) folders_.emplace_back(folder(path));
    folder_of_.push_back(it->second);
  }
  std::sort(by_stem_.begin(), by_stem_.end());
}

std::vector<NameId> Lookup::names_from(std::string_view typed,
                                       const std::vector<const std::string*>& names) const {
  std::vector<NameId> out;
  if (typed.size() < 2) return out;
  const auto last = std::uint64_t{beginning(typed, 0xFF)} << 32U | 0xFFFFFFFFU;
  for (auto it = std::lower_bound(by_beginning_.begin(), by_beginning_.end(),
                                  std::uint64_t{beginning(typed, 0)} << 32U);
       it != by_beginning_.end() && *it <= last; ++it) {
    const auto n = static_cast<NameId>(*it);
    if (names[n]->starts_with(typed)) out.push_back(n);
  }
  return out;
}

std::vector<FileNumber> Lookup::files_called(std::string_view name,
                                             const std::vector<std::string>& paths) const {
  std::vector<FileNumber> out;
  const std::uint64_t hash = std::hash<std::string_view>{}(name);
  for (auto it = std::lower_bound(by_stem_.begin(), by_stem_.end(), std::pair(hash, FileNumber{}));
       it != by_stem_.end() && it->first == hash; ++it) {
    const std::string_view path = paths[it->second];
    if (stem(path) == name || (stands_for_folder(stem(path)) && stem(folder(path)) == name)) {
      if (out.empty() || out.back() != it->second) out.push_back(it->second);
    }
  }
  return out;
}

}  // namespace ambit::indexer::context
