// The address of a model server, as a user writes it in `model = "remote:PROFILE@URL#MODEL"`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/support/result.h"

namespace ambit::inference::remote {

struct Url {
  bool tls = false;
  std::string host;  // without brackets
  std::uint16_t port = 0;
  std::string path;  // without a slash at its end: "" or "/v1"

  [[nodiscard]] std::string text() const;       // for people and for comparing
  [[nodiscard]] std::string authority() const;  // the Host header
  // 127.0.0.0/8, ::1, "localhost": what is sent there stays on this machine.
  [[nodiscard]] bool loopback() const;
};

// http:// or https:// only. Refused with kInvalidArgument: user:password@ (it would show up in
// status and logs), queries, fragments, control characters, a port that is none.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

}  // namespace ambit::inference::remote
