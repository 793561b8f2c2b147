#include "daemon/assists/refactor/c_file.h"

#include <algorithm>

#include "daemon/assists/refactor/includes.h"

namespace ambit::daemon {

using indexer::kNoNode;

Insertion include_lines(const SourceFile& f, const std::vector<std::string>& words) {
  const auto end = std::string(line_end_of(f.text));
  std::string lines;
  for (const auto& w : words) lines += "#include " + w + end;
  const auto& tree = *f.tree;
  const auto guard = end_of_guard(f.text);
  std::optional<std::uint32_t> include;
  std::uint32_t head = 0;
  std::vector<std::uint32_t> open = tree.children(0);
  for (std::size_t i = 0; i < open.size(); ++i) {
    const auto& n = tree[open[i]];
    if (guard && n.type == "preproc_ifdef" && n.span.end > *guard) {
      const auto inner = tree.children(open[i]);
      // Without "#ifndef" and the name.
      open.insert(open.begin() + static_cast<std::ptrdiff_t>(i) + 1, inner.begin() + 2,
                  inner.end());
      continue;
    }
    const auto code = f.slice(n.span);
    if (n.type == "preproc_include") {
      include = n.span.end;
    } else if (n.type == "comment" || code.starts_with("#pragma once") ||
               (guard && head <= n.span.begin && n.type == "preproc_def" && !include)) {
      if (!include) head = n.span.end;
    } else if (!n.type.starts_with("preproc_") && !n.type.starts_with("#")) {
      break;
    }
  }
  const auto line_after = [&](std::uint32_t place) {
    if (place == 0 || f.text[place - 1] == '\n') return place;
    const auto newline = f.text.find('\n', place);
    return static_cast<std::uint32_t>(newline == std::string::npos ? f.text.size() : newline + 1);
  };
  const auto at = line_after(include.value_or(head));
  if (!include) lines = (at > 0 ? end : "") + lines + (at == 0 ? end : "");
  return {at, lines};
}

std::optional<std::uint32_t> end_of_namespace(const SourceFile& file,
                                              const std::vector<std::string>& namespaces) {
  const auto& tree = *file.tree;
  std::string wanted;
  for (const auto& n : namespaces) wanted += (wanted.empty() ? "" : "::") + n;
  std::optional<std::uint32_t> out;
  for (std::uint32_t i = 0; i < tree.nodes().size(); ++i) {
    if (tree[i].type != "namespace_definition" || tree.holds_error(i)) continue;
    std::string name;
    bool plain = true;
    for (auto p = i; p != kNoNode; p = tree[p].parent) {
      if (tree[p].type != "namespace_definition") continue;
      const auto child = tree.child(p, "name");
      if (child == kNoNode) {
        plain = false;
        break;
      }
      name = std::string(file.slice(tree[child].span)) + (name.empty() ? "" : "::") + name;
    }
    if (plain && name == wanted) out = tree[i].span.end - 1;
  }
  return out;
}

std::vector<std::string> namespaces_around(const SourceFile& file, std::uint32_t node) {
  const auto& tree = *file.tree;
  std::vector<std::string> out;
  for (auto p = tree[node].parent; p != kNoNode; p = tree[p].parent) {
    if (tree[p].type != "namespace_definition") continue;
    const auto label = tree.child(p, "name");
    if (label != kNoNode) out.insert(out.begin(), std::string(file.slice(tree[label].span)));
  }
  return out;
}

}  // namespace ambit::daemon
