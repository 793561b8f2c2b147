// The model of a recorded session: one Backend that writes down what passes, and one that says it
// again.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "daemon/record/recording.h"
#include "inference/backend.h"

namespace ambit::daemon {

// `inner`, with every request and answer written to `recorder`.
[[nodiscard]] std::shared_ptr<inference::Backend> recording_backend(
    std::shared_ptr<inference::Backend> inner, std::shared_ptr<Recorder> recorder);

// Says what a recording says, and when it says so: the driver of the replay calls pass() for each
// line that it reaches, so an answer comes neither before nor after the keystroke that it came
// after. A request is given the answer of the recorded one with the same prompt; when the
// repository has changed since, of the one whose end is most alike. Any thread.
class ReplayBackend final : public inference::Backend {
 public:
  // `lines` of the recording, which must outlive this object.
  ReplayBackend(const std::vector<nlohmann::json>& lines,
                std::shared_ptr<const inference::Tokenizer> tokenizer);
  ~ReplayBackend() override;

  [[nodiscard]] inference::BackendInfo describe() const override;
  [[nodiscard]] std::shared_ptr<const inference::Tokenizer> tokenizer() const override {
    return tokenizer_;
  }
  void wake() override {}
  void submit(inference::GenerateRequest request, inference::GenerateEvents events,
              std::stop_token stop) override;

  // The replay has come to this line: "say" and "done" lines reach their request. Lines of the
  // editor are counted: a question that is only like a recorded one never takes the answer to what
  // the editor had not said yet.
  void pass(const nlohmann::json& line);
  // The recording is over: whoever still waits is told that there is no answer.
  void finish();

  struct Count {
    std::size_t asked = 0, same_prompt = 0, like_prompt = 0, unknown = 0;
  };
  [[nodiscard]] Count count() const;

 private:
  struct Entry;
  struct Teller;
  using Watch = std::stop_callback<std::function<void()>>;
  [[nodiscard]] std::shared_ptr<Entry> match(const inference::GenerateRequest& request);
  void watch(const std::shared_ptr<Entry>& entry, std::stop_token stop);

  const std::shared_ptr<const inference::Tokenizer> tokenizer_;
  inference::BackendInfo info_;                  // constant after the constructor
  mutable std::mutex mutex_;                     // guards what follows
  std::vector<std::shared_ptr<Entry>> entries_;  // in the order of the recording
  std::size_t said_ = 0;                         // lines of the editor that were passed
  Count count_;
  bool finished_ = false;

  const std::shared_ptr<Teller> teller_;
  std::mutex watches_mutex_;
  std::vector<std::unique_ptr<Watch>> watches_;  // of requests, one each
};

}  // namespace ambit::daemon
