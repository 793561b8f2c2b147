// What a server takes, found out once with texts of ours.
#pragma once

#include <stop_token>
#include <string>

#include "inference/remote/openai_backend.h"
#include "inference/remote/openai_wire.h"

namespace ambit::inference::remote {

struct Found {
  std::string model;
  std::int64_t context = 0;  // 0: the server does not say
  Way fim = Way::kNothing;
  Way conversation = Way::kNothing;
};

// Asks for the list of models, compares vocabularies where the server has /tokenize, and sends
// requests of one token until one is taken. kUnavailable when the server cannot be reached or takes
// nothing, kPermission when it wants a key or another one, kNotFound when it lacks the model.
[[nodiscard]] Result<Found> probe(HttpClient& client, const RemoteOptions& options,
                                  const std::stop_token& stop);

// The HTTP request of a call, key and all.
[[nodiscard]] HttpRequest request_of(const RemoteOptions& options, const Call& call);

}  // namespace ambit::inference::remote
