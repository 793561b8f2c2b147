// A remote backend in this process and what it answers, for tests.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "inference/remote/openai_backend.h"
#include "tests/inference/remote/fault_server.h"

namespace ambit::testing {

using inference::Backend;
using inference::Finish;
using inference::GenerateRequest;
using inference::GenerateResult;
using inference::Tokenizer;

struct Outcome {
  GenerateResult result;
  std::string text;  // of all tokens
  int token_events = 0;
};

// Starts a request; wait() for its end.
class Asked {
 public:
  Asked(Backend& backend, GenerateRequest request) : tokenizer_(backend.tokenizer()) {
    inference::GenerateEvents events;
    events.on_tokens = [this](std::span<const inference::GeneratedToken> tokens) {
      std::lock_guard lock(mutex_);
      for (const auto& token : tokens) {
        const inference::TokenId id = token.id;
        outcome_.text += tokenizer_->decode({&id, 1});
      }
      ++outcome_.token_events;
      changed_.notify_all();
    };
    events.on_done = [this](const GenerateResult& result) {
      std::lock_guard lock(mutex_);
      outcome_.result = result;
      ++ended_;
      changed_.notify_all();
    };
    backend.submit(std::move(request), std::move(events), stop_.get_token());
  }
  void cancel() { stop_.request_stop(); }
  // False when no token came within 20 s.
  bool wait_token() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [this] { return outcome_.token_events > 0 || ended_ > 0; });
  }
  Outcome wait() {
    std::unique_lock lock(mutex_);
    const bool ended =
        changed_.wait_for(lock, std::chrono::seconds(30), [this] { return ended_ > 0; });
    EXPECT_TRUE(ended) << "the request does not end";
    EXPECT_EQ(ended_, 1);
    return outcome_;
  }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Outcome outcome_;
  int ended_ = 0;
};

inline inference::remote::RemoteOptions remote_options(const std::string& url,
                                                       const char* profile = "vllm") {
  inference::remote::RemoteOptions options;
  options.profile = inference::remote::find_profile(profile);
  options.url = *inference::remote::parse_url(url);
  if (options.url.path.empty()) options.url.path = "/v1";
  options.tokenizer = Tokenizer::bytes();
  options.may_send = [](const std::string& root) -> Result<void> {
    if (root == "/allowed") return {};
    return make_error(Code::kPermission, "not allowed");
  };
  options.first_pause = options.longest_pause = std::chrono::milliseconds(2);
  options.seed = 7;
  return options;
}

inline std::shared_ptr<Backend> remote_backend(inference::remote::RemoteOptions options,
                                               const std::string& ca_file = "") {
  inference::remote::HttpClient::Options http;
  http.url = options.url;
  http.ca_file = ca_file;
  auto client = inference::remote::HttpClient::open(std::move(http));
  EXPECT_TRUE(client.has_value());
  return *open_remote_backend(std::move(options), std::move(*client));
}

// Completes "a = " before "b".
inline GenerateRequest fim_request(const Tokenizer& tokenizer) {
  const auto& s = tokenizer.special();
  GenerateRequest request;
  const auto text = [&](std::string_view words) {
    const auto ids = tokenizer.encode(words);
    request.prompt.insert(request.prompt.end(), ids.begin(), ids.end());
  };
  request.prompt.push_back(s.bos);
  text("### other.c\nint x;\n");
  request.prompt.push_back(s.fim_begin);
  text("a = ");
  request.prompt.push_back(s.fim_hole);
  text("\nb");
  request.prompt.push_back(s.fim_end);
  request.max_new_tokens = 32;
  request.stop_ids = {s.eos};
  request.repository = "/allowed";
  return request;
}

inline GenerateRequest chat_request(const Tokenizer& tokenizer, bool thinking) {
  const auto& s = tokenizer.special();
  GenerateRequest request;
  const auto text = [&](std::string_view words) {
    const auto ids = tokenizer.encode(words);
    request.prompt.insert(request.prompt.end(), ids.begin(), ids.end());
  };
  request.prompt.push_back(s.bos);
  text("The repository.");
  request.prompt.push_back(s.user);
  text("Review <think>this</think>.");
  request.prompt.push_back(s.assistant);
  request.prompt.push_back(thinking ? s.think : s.end_think);
  request.max_new_tokens = 64;
  request.repository = "/allowed";
  return request;
}

inline std::string piece(const std::string& text) {
  return R"({"choices":[{"text":")" + text + R"(","finish_reason":null}]})";
}

}  // namespace ambit::testing
