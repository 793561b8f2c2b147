#include "indexer/search/receiver_types.h"

#include "indexer/search/receiver.h"

namespace ambit::indexer {

std::vector<std::string> receiver_types(const Snapshot& snapshot, std::string_view path,
                                        std::uint32_t offset) {
  const auto* impl = dynamic_cast<const SnapshotImpl*>(&snapshot);
  const auto p = impl == nullptr ? nullptr : impl->parsed(path);
  if (p == nullptr || offset > p->text->size()) return {};
  const auto before = std::string_view(*p->text).substr(0, offset);
  const std::size_t sign = before.ends_with('.') ? 1 : before.ends_with("->") ? 2 : 0;
  if (sign == 0) return {};
  const Receivers receivers(*impl, path, *p);
  const auto type = receivers.before(before.size() - sign);
  return type.name.empty() ? std::vector<std::string>() : receivers.with_bases(type);
}

}  // namespace ambit::indexer
