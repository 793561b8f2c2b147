#include "daemon/scheduling/engine_wire.h"

#include <unistd.h>

#include <cerrno>

namespace ambit::daemon::engine_wire {

namespace {

void put_ids(ByteWriter& out, const std::vector<inference::TokenId>& ids) {
  out.varint(ids.size());
  out.raw({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(inference::TokenId)});
}

std::vector<inference::TokenId> get_ids(ByteReader& in) {
  const std::uint64_t count = in.varint();
  if (count > in.remaining() / sizeof(inference::TokenId)) {
    in.fail();
    return {};
  }
  const auto bytes = in.bytes(static_cast<std::size_t>(count) * sizeof(inference::TokenId));
  std::vector<inference::TokenId> ids(bytes.size() / sizeof(inference::TokenId));
  if (!ids.empty()) std::memcpy(ids.data(), bytes.data(), bytes.size());
  return ids;
}

bool read_exactly(int fd, char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::read(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

std::string frame(Kind kind, std::string_view payload) {
  ByteWriter out;
  out.write(static_cast<std::uint32_t>(payload.size()));
  out.write(kind);
  out.raw(payload);
  return out.take();
}

void put(ByteWriter& out, const inference::GenerateRequest& request) {
  put_ids(out, request.prompt);
  out.write(request.max_new_tokens);
  out.write(request.sampling);
  put_ids(out, request.stop_ids);
  out.write(request.logprobs);
  out.write(request.priority);
  put_ids(out, request.answer);
  put_ids(out, request.draft);
  out.string(request.grammar);
  out.write(request.deadline_ms);
  out.write(request.keep);
  out.write(request.on_disk);
  out.string(request.repository);
}

inference::GenerateRequest get_request(ByteReader& in) {
  inference::GenerateRequest request;
  request.prompt = get_ids(in);
  request.max_new_tokens = in.read<std::int32_t>();
  request.sampling = in.read<inference::Sampling>();
  request.stop_ids = get_ids(in);
  request.logprobs = in.read<std::int32_t>();
  request.priority = in.read<inference::Priority>();
  request.answer = get_ids(in);
  request.draft = get_ids(in);
  request.grammar = in.string();
  request.deadline_ms = in.read<std::uint32_t>();
  request.keep = in.read<std::uint8_t>() != 0;
  request.on_disk = in.read<std::uint8_t>() != 0;
  request.repository = in.string();
  return request;
}

void put(ByteWriter& out, const inference::BackendInfo& info) {
  out.string(info.name);
  out.string(info.arch);
  out.string(info.backend);
  out.string(info.device);
  out.write(info.state);
  out.string(info.problem);
  out.write(info.weights_bytes);
  out.write(info.kv_bytes);
  out.write(info.context);
  out.write(info.vocab_size);
  out.write(info.leaves_machine);
}

inference::BackendInfo get_info(ByteReader& in) {
  inference::BackendInfo info;
  info.name = in.string();
  info.arch = in.string();
  info.backend = in.string();
  info.device = in.string();
  info.state = in.read<inference::BackendState>();
  info.problem = in.string();
  info.weights_bytes = in.read<std::uint64_t>();
  info.kv_bytes = in.read<std::uint64_t>();
  info.context = in.read<std::int64_t>();
  info.vocab_size = in.read<std::int32_t>();
  info.leaves_machine = in.read<std::uint8_t>() != 0;
  return info;
}

void put(ByteWriter& out, std::span<const inference::GeneratedToken> tokens) {
  out.varint(tokens.size());
  for (const auto& token : tokens) {
    out.write(token.id);
    out.write(token.logprob);
    out.varint(token.top.size());
    for (const auto& entry : token.top) out.write(entry);
  }
}

std::vector<inference::GeneratedToken> get_tokens(ByteReader& in) {
  std::vector<inference::GeneratedToken> tokens;
  const std::uint64_t count = in.varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    auto& token = tokens.emplace_back();
    token.id = in.read<inference::TokenId>();
    token.logprob = in.read<float>();
    const std::uint64_t top = in.varint();
    for (std::uint64_t k = 0; k < top && in.ok(); ++k) {
      token.top.push_back(in.read<inference::TokenLogprob>());
    }
  }
  return tokens;
}

void put(ByteWriter& out, const inference::GenerateResult& result) {
  out.write(result.finish);
  out.write(result.error.code);
  out.string(result.error.message);
  out.write(result.usage);
}

inference::GenerateResult get_result(ByteReader& in) {
  inference::GenerateResult result;
  result.finish = in.read<inference::Finish>();
  result.error.code = in.read<Code>();
  result.error.message = in.string();
  result.usage = in.read<inference::Usage>();
  return result;
}

std::optional<Frame> read_frame(int fd) {
  char head[5];
  if (!read_exactly(fd, head, sizeof head)) return std::nullopt;
  std::uint32_t size = 0;
  std::memcpy(&size, head, sizeof size);
  if (size > kMaxFrameBytes) return std::nullopt;
  Frame out;
  out.kind = static_cast<Kind>(head[4]);
  out.payload.resize(size);
  if (!read_exactly(fd, out.payload.data(), size)) return std::nullopt;
  return out;
}

}  // namespace ambit::daemon::engine_wire
