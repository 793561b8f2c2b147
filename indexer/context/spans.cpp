#include "indexer/context/spans.h"

#include "indexer/secrets.h"

namespace ambit::indexer::context {

PackSpan make_span(std::string path, Region region, Detail detail, std::string_view text,
                   const TokenCounter& count, std::string reason, double score) {
  PackSpan s;
  s.path = std::move(path);
  s.region = region;
  s.detail = detail;
  s.text = redact_secrets(text);
  s.tokens = count(s.text);
  s.reason = std::move(reason);
  s.score = score;
  return s;
}

Result<std::string> prompt_text(const Snapshot& snapshot, std::string_view path) {
  AMBIT_TRY(text, snapshot.text(path));
  return redact_secrets(text);
}

std::int64_t sum_tokens(const std::vector<PackSpan>& spans) {
  std::int64_t sum = 0;
  for (const PackSpan& s : spans) sum += s.tokens;
  return sum;
}

}  // namespace ambit::indexer::context
