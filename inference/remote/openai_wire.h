// JSON of the OpenAI-compatible completion and chat endpoints, and of llama.cpp's /infill: request
// bodies, and what one event of an answer says. Answers are hostile input: a wrong type or a
// missing field is an error of one line, never an exception.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "inference/remote/profile.h"
#include "inference/remote/prompt_parts.h"
#include "inference/request.h"

namespace ambit::inference::remote {

struct Call {
  std::string endpoint;  // below the base: "/completions"
  bool at_root = false;  // below the host instead: llama.cpp's "/infill"
  std::string body;
};

// kUnsupported when `way` cannot carry this prompt.
[[nodiscard]] Result<Call> make_call(const Profile& profile, Way way, const std::string& model,
                                     const Tokenizer& tokenizer, const GenerateRequest& request);

// What one event, or the one JSON document of a server that does not stream, adds to the answer.
struct Delta {
  std::string reasoning;
  std::string text;
  std::vector<TokenId> ids;      // of `text`, where the server tells them
  std::vector<float> logprobs;   // one a token, where asked for
  std::optional<Finish> finish;  // kStop or kLength
  std::int64_t prompt_tokens = -1;
  std::int64_t cached_tokens = -1;
};
// kUnavailable with the server's own words when the event is an error; kCorrupt when it is not what
// these endpoints send.
[[nodiscard]] Result<Delta> read_delta(std::string_view json);

// The message in the body of an answer with an error status: one line, control characters and
// lengths tamed. "" when there is none.
[[nodiscard]] std::string error_message(std::string_view body);

}  // namespace ambit::inference::remote
