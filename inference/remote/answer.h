// One answer of a model server as it arrives: bytes to events to tokens, until it ends or breaks.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "inference/remote/event_stream.h"
#include "inference/remote/openai_backend.h"
#include "inference/remote/openai_wire.h"

namespace ambit::inference::remote {

// Used by one thread. `options`, `request` and `events` outlive it.
class Answer {
 public:
  Answer(const RemoteOptions& options, Way way, const GenerateRequest& request,
         const GenerateEvents& events);

  void head(const HttpHead& head);
  // False: enough was read.
  [[nodiscard]] bool data(std::string_view bytes);

  struct End {
    GenerateResult result;
    bool retry = false;  // the same request may succeed later
    std::optional<std::chrono::milliseconds> retry_after;
  };
  // After perform() returned.
  [[nodiscard]] End end(const std::optional<HttpClient::Failure>& broke);

 private:
  bool take_event(std::string_view data);
  void take(const Delta& delta);
  void emit(std::string_view text, const Delta* delta);
  [[nodiscard]] End broken_off(const HttpClient::Failure& broke) const;
  [[nodiscard]] End refused() const;

  const RemoteOptions& options_;
  const Way way_;
  const GenerateRequest& request_;
  const GenerateEvents& events_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point first_{};
  HttpHead head_;
  bool streams_ = false;
  EventStream stream_;
  std::string body_;  // of an error, or of an answer that is one document
  std::optional<Error> error_;
  std::optional<Finish> finish_;
  bool done_ = false;  // "[DONE]" was read
  bool too_long_ = false;
  bool reasoning_ = false;  // the answer stands inside the reasoning
  std::size_t text_bytes_ = 0;
  std::int64_t tokens_ = 0;
  Usage usage_;
};

}  // namespace ambit::inference::remote
