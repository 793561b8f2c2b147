// How sure it is that one mention in code means the symbol. Inside the rename only.
#pragma once

#include <string_view>

#include "daemon/assists/refactor/visibility.h"

namespace ambit::daemon {

// 0: it means something else. named: the grammar names it; why: for people.
[[nodiscard]] float judge_mention(const indexer::Snapshot& snapshot, const ParsedFile& file,
                                  const RenameGroup& group, Visibility& visibility,
                                  indexer::ByteSpan at, bool named, std::string_view& why);

}  // namespace ambit::daemon
