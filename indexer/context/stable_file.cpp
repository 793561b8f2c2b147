// Little-endian: "AMBP", version u32, XXH3 of the rest u64; budget, spans, files. Strings and
// counts as ByteWriter has them.
#include <xxhash.h>

#include "daemon/support/bytes.h"
#include "indexer/context/stable.h"

namespace ambit::indexer::context {
namespace {

constexpr std::string_view kMagic = "AMBP";
constexpr std::uint32_t kVersion = 1;

void put(ByteWriter& out, const std::set<std::string>& names) {
  out.varint(names.size());
  for (const auto& n : names) out.string(n);
}

bool get(ByteReader& in, std::set<std::string>& names) {
  for (auto n = in.varint(); n > 0 && in.ok(); --n) names.emplace_hint(names.end(), in.string());
  return in.ok();
}

}  // namespace

std::string encode_stable_part(const StablePart& part) {
  ByteWriter out;
  out.varint(static_cast<std::uint64_t>(part.budget));
  out.varint(part.spans.size());
  for (const PackSpan& s : part.spans) {
    out.string(s.path);
    out.varint(s.start_line);
    out.varint(s.end_line);
    out.write(s.blob);
    out.write(s.region);
    out.write(s.detail);
    out.string(s.text);
    out.varint(static_cast<std::uint64_t>(s.tokens));
    out.string(s.reason);
  }
  out.varint(part.files.size());
  for (const auto& [path, frozen] : part.files) {
    out.string(path);
    out.write(frozen.blob);
    out.write(static_cast<std::uint8_t>(frozen.full));
    out.string(frozen.text);
    put(out, frozen.names);
    put(out, frozen.left);
  }
  ByteWriter head;
  head.write(kVersion);
  head.write(static_cast<std::uint64_t>(XXH3_64bits(out.data().data(), out.size())));
  return std::string(kMagic) + head.data() + out.data();
}

Result<std::shared_ptr<const StablePart>> decode_stable_part(std::string_view bytes) {
  const auto corrupt = [] { return make_error(Code::kCorrupt, "not a stable part, whole"); };
  if (!bytes.starts_with(kMagic)) return corrupt();
  ByteReader head(bytes.substr(kMagic.size()));
  const auto version = head.read<std::uint32_t>();
  const auto hash = head.read<std::uint64_t>();
  if (!head.ok() || version != kVersion) return corrupt();
  const auto body = bytes.substr(kMagic.size() + head.position());
  if (XXH3_64bits(body.data(), body.size()) != hash) return corrupt();
  ByteReader in(body);
  auto part = std::make_shared<StablePart>();
  part->budget = static_cast<std::int64_t>(in.varint());
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    PackSpan& s = part->spans.emplace_back();
    s.path = in.string();
    s.start_line = static_cast<std::uint32_t>(in.varint());
    s.end_line = static_cast<std::uint32_t>(in.varint());
    s.blob = in.read<BlobId>();
    s.region = in.read<Region>();
    s.detail = in.read<Detail>();
    s.text = in.string();
    s.tokens = static_cast<std::int64_t>(in.varint());
    s.reason = in.string();
    if (s.region > Region::kFullText || s.detail > Detail::kExcerpt || s.tokens < 0) in.fail();
    part->tokens += s.tokens;
  }
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    const std::string path(in.string());
    StablePart::Frozen& frozen = part->files[path];
    frozen.blob = in.read<BlobId>();
    frozen.full = in.read<std::uint8_t>() != 0;
    frozen.text = in.string();
    if (!get(in, frozen.names) || !get(in, frozen.left)) break;
  }
  if (!in.ok() || in.remaining() > 0 || part->budget <= 0 || part->tokens > part->budget) {
    return corrupt();
  }
  return std::shared_ptr<const StablePart>(part);
}

}  // namespace ambit::indexer::context
