// What goes over the socketpair between the daemon and its engine process: frames of a length
// (u32, little-endian), a kind and a payload. Both ends are the same executable, so there is no
// version; the first frame of the engine is kInfo.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/bytes.h"
#include "inference/backend.h"

namespace ambit::daemon::engine_wire {

enum class Kind : std::uint8_t {
  kSubmit = 1,   // daemon -> engine: id, request
  kCancel = 2,   // daemon -> engine: id
  kWake = 3,     // daemon -> engine
  kInfo = 4,     // engine -> daemon: BackendInfo, sent when it changes
  kPrefill = 5,  // engine -> daemon: id, done, total
  kTokens = 6,   // engine -> daemon: id, tokens
  kDone = 7,     // engine -> daemon: id, result
};

// 4 bytes a token and a million tokens fit many times; anything longer is not a frame of ours.
inline constexpr std::uint32_t kMaxFrameBytes = 64U << 20;

// A frame ready to be sent: length, kind, payload.
[[nodiscard]] std::string frame(Kind kind, std::string_view payload);

void put(ByteWriter& out, const inference::GenerateRequest& request);
void put(ByteWriter& out, const inference::BackendInfo& info);
void put(ByteWriter& out, std::span<const inference::GeneratedToken> tokens);
void put(ByteWriter& out, const inference::GenerateResult& result);

// The reader's ok() tells whether the payload was whole.
[[nodiscard]] inference::GenerateRequest get_request(ByteReader& in);
[[nodiscard]] inference::BackendInfo get_info(ByteReader& in);
[[nodiscard]] std::vector<inference::GeneratedToken> get_tokens(ByteReader& in);
[[nodiscard]] inference::GenerateResult get_result(ByteReader& in);

struct Frame {
  Kind kind{};
  std::string payload;
};
// Blocks for the next frame. nullopt when the other side is gone or sends nonsense.
[[nodiscard]] std::optional<Frame> read_frame(int fd);

}  // namespace ambit::daemon::engine_wire
