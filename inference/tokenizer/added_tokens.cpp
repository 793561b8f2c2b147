#include "inference/tokenizer/added_tokens.h"

namespace ambit::inference {

std::uint32_t TokenTrie::child(std::uint32_t node, std::uint8_t byte) const {
  for (const auto& [b, next] : nodes_[node].children) {
    if (b == byte) return next;
  }
  return 0;
}

void TokenTrie::add(std::string_view content, TokenId id) {
  if (content.empty()) return;
  starts_[static_cast<std::uint8_t>(content[0])] = true;
  std::uint32_t node = 0;
  for (const char c : content) {
    const auto byte = static_cast<std::uint8_t>(c);
    std::uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      nodes_[node].children.emplace_back(byte, next);
    }
    node = next;
  }
  nodes_[node].id = id;
}

std::optional<TokenTrie::Found> TokenTrie::search(std::string_view text, std::size_t from) const {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (!starts_[static_cast<std::uint8_t>(text[at])]) continue;
    std::uint32_t node = 0;
    Found found{at, 0, -1};
    for (std::size_t i = at; i < text.size(); ++i) {
      node = child(node, static_cast<std::uint8_t>(text[i]));
      if (node == 0) break;
      if (nodes_[node].id >= 0) found = {at, i + 1 - at, nodes_[node].id};
    }
    if (found.id >= 0) return found;
  }
  return std::nullopt;
}

}  // namespace ambit::inference
