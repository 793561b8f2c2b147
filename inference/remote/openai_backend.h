// Backend on an OpenAI-compatible server: vLLM, SGLang, llama.cpp's server, ds4-server, DeepSeek's
// own API (profile.h). What the server takes is tried once, when the backend wakes, with a text of
// ours; describe().device tells which way was found, and that text leaves the machine.
//
// Every request names the repository that its text comes from, and `may_send` decides: a request
// without a repository, or from one whose user has not agreed, is refused before a byte leaves.
//
// Tokens: with the model's own tokenizer (`exact_tokenizer`) ids are the model's, and are sent as
// such where the server takes them and its vocabulary proves to be the same. Else the tokenizer
// here only has to hold any text: counts are then estimates, on the safe side when its vocabulary
// is smaller than the model's. log-probabilities are 0 unless asked for and given by the server.
//
// An answer counts as whole when the server says why it ended; a stream that breaks off is kError,
// never a shorter answer. Only requests that have produced nothing yet are tried again.
//
// max_new_tokens 0 (make the prefix warm) sends nothing. `grammar` is refused with kUnsupported.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "inference/backend.h"
#include "inference/remote/http.h"
#include "inference/remote/profile.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference::remote {

struct RemoteOptions {
  const Profile* profile = nullptr;            // never null
  Url url;                                     // the base: "/v1" is added when the path is empty
  std::string model;                           // empty: the first one that the server lists
  std::string api_key;                         // empty: none. Never logged, never in describe()
  std::shared_ptr<const Tokenizer> tokenizer;  // never null
  bool exact_tokenizer = false;
  std::int64_t context = 0;  // tokens; 0: what the server says
  // kPermission, with what to do, when this repository's text may not be sent.
  std::function<Result<void>(const std::string& repository)> may_send;
  std::function<void(const BackendInfo&)> on_change;  // may be empty

  std::size_t max_requests = 8;  // more are refused with kResourceExhausted
  int attempts = 4;
  std::chrono::milliseconds first_pause{250}, longest_pause{8000};
  std::chrono::milliseconds connect_limit{10000};
  // Between two pieces of an answer; the first one waits for the prefill.
  std::chrono::milliseconds silence_limit{300000};
  std::uint64_t seed = 0;  // of the pauses; 0: from the clock
};

// kInvalidArgument when the options contradict each other: a key without TLS to another host.
[[nodiscard]] Result<std::shared_ptr<Backend>> open_remote_backend(
    RemoteOptions options, std::unique_ptr<HttpClient> client);

}  // namespace ambit::inference::remote
