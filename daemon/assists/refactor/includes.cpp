#include "daemon/assists/refactor/includes.h"

#include <algorithm>
#include <array>

namespace ambit::daemon {
namespace {

struct DirectiveLine {
  std::string_view name, rest;
  indexer::ByteSpan line;
};

// The next line that begins with '#', from `at` on.
std::optional<DirectiveLine> next_directive(std::string_view text, std::size_t& at) {
  while (at < text.size()) {
    const auto begin = at;
    const auto end = std::min(text.find('\n', at), text.size());
    at = std::min(end + 1, text.size());
    auto line = text.substr(begin, end - begin);
    const auto skip = [&] {
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    };
    skip();
    if (!line.starts_with('#')) {
      if (at == text.size()) break;
      continue;
    }
    line.remove_prefix(1);
    skip();
    DirectiveLine out;
    out.name = line.substr(0, line.find_first_of(" \t\"<(/\r"));
    line.remove_prefix(out.name.size());
    skip();
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.rest = line;
    out.line = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at)};
    return out;
  }
  at = text.size();
  return std::nullopt;
}

}  // namespace

bool is_header(std::string_view path) {
  const auto dot = path.rfind('.');
  const auto end = dot == std::string_view::npos ? std::string_view() : path.substr(dot);
  static constexpr std::array<std::string_view, 6> kEnds{".h",   ".hh",  ".hpp",
                                                         ".hxx", ".h++", ".cuh"};
  return std::find(kEnds.begin(), kEnds.end(), end) != kEnds.end();
}

std::optional<std::uint32_t> end_of_guard(std::string_view text) {
  std::size_t at = 0;
  const auto first = next_directive(text, at);
  if (!first || first->name != "ifndef") return std::nullopt;
  const auto second = next_directive(text, at);
  const auto word = [](std::string_view rest) {
    return rest.substr(0, rest.find_first_of(" \t/"));
  };
  if (!second || second->name != "define" || word(second->rest) != word(first->rest)) {
    return std::nullopt;
  }
  std::optional<DirectiveLine> last;
  while (auto d = next_directive(text, at)) last = d;
  if (!last || last->name != "endif") return std::nullopt;
  return last->line.begin;
}

std::vector<Include> includes_in(const Imports& imports, const std::string& path,
                                 std::string_view text) {
  std::vector<Include> out;
  int depth = end_of_guard(text) ? -1 : 0;
  std::size_t at = 0;
  while (const auto d = next_directive(text, at)) {
    if (d->name.starts_with("if")) ++depth;
    if (d->name == "endif") --depth;
    if (d->name != "include" || d->rest.empty()) continue;
    const char open = d->rest.front();
    const auto close = d->rest.find(open == '"' ? '"' : '>', 1);
    if ((open != '"' && open != '<') || close == std::string_view::npos) continue;
    Include one;
    one.line = d->line;
    one.words = d->rest.substr(0, close + 1);
    one.target = imports.target(path, one.words);
    one.conditional = depth > 0;
    out.push_back(std::move(one));
  }
  return out;
}

const std::vector<Include>& IncludeGraph::of(const std::string& path) {
  const auto [it, fresh] = direct_.try_emplace(path);
  if (!fresh) return it->second;
  if (const auto text = snapshot_.text(path)) it->second = includes_in(imports_, path, *text);
  return it->second;
}

const std::set<std::string>& IncludeGraph::closure(const std::string& path, bool sure) {
  auto& known = sure ? sure_ : any_;
  const auto [it, fresh] = known.try_emplace(path);
  if (!fresh) return it->second;
  std::set<std::string> seen{path};
  std::vector<std::string> queue{path};
  while (!queue.empty()) {
    const auto file = queue.back();
    queue.pop_back();
    for (const auto& i : of(file)) {
      if (sure && i.conditional) continue;
      if (i.target && seen.insert(*i.target).second) queue.push_back(*i.target);
    }
  }
  return known[path] = std::move(seen);
}

std::set<std::string> IncludeGraph::foreign(const std::string& path) {
  std::set<std::string> out;
  for (const auto& file : closure(path, true)) {
    for (const auto& i : of(file)) {
      if (!i.target && !i.conditional) out.insert(i.words);
    }
  }
  return out;
}

}  // namespace ambit::daemon
