// An editor for tests: starts a language server on pipes, sends what it is told to and holds every
// message that comes back to the meta model. Every wait has a deadline; no wait is a sleep.
//
// One thread. Requests of the server are answered while waiting: as on_request says, else
// configuration with `settings` and everything else with null.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lsp/framing.h"
#include "tests/support/meta_model.h"

namespace ambit::testing {

class LspClient {
 public:
  using json = nlohmann::json;
  static constexpr std::chrono::seconds kDeadline{20};

  // `model` may be null: then only the tests' own expectations hold. Environment entries are
  // "NAME=value" and come on top of this process's own.
  LspClient(std::vector<std::string> command, std::vector<std::string> environment,
            const MetaModel* model);
  // An editor on a socket whose other end is a server in this process.
  LspClient(int socket, const MetaModel* model);
  // Ends the server the hard way when the test has not waited for it.
  ~LspClient();
  LspClient(const LspClient&) = delete;
  LspClient& operator=(const LspClient&) = delete;

  // The id of the request. Messages are checked too, unless sent with send_raw().
  int request(const std::string& method, const json& params);
  // The same for what an editor should not send; only the reply is checked.
  int request_unchecked(const std::string& method, const json& params);
  void notify(const std::string& method, const json& params);
  void send_raw(const std::string& bytes);
  void close_input();

  // The reply with this id; null JSON at the deadline or the end of the stream.
  json reply(const json& id);
  json call(const std::string& method, const json& params) {
    return reply(request(method, params));
  }
  // The oldest unread notification of this method, waiting for one.
  json notification(const std::string& method);
  // The oldest unread request of the server with this method, waiting for one.
  json server_request(const std::string& method);
  // Answers it: "result" or "error" goes into `members`.
  void respond(const json& request, const json& members);
  // How many messages of the server with this method arrived and were not read yet.
  [[nodiscard]] int unread(const std::string& method) const;
  // Exit code of the process, or 128 + signal; nullopt at the deadline.
  std::optional<int> wait_exit();

  // initialize and initialized, as an editor with ghost text does; the result of initialize.
  json start(const std::string& root_uri);
  void open(const std::string& uri, const std::string& text);
  void change(const std::string& uri, int version, const std::string& text);
  // Ghost text at a position, on its own (2) or because somebody asked (1).
  static json inline_params(const std::string& uri, int line, int character, int trigger = 1);

  // What the meta model did not allow, from either side.
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] int replies_to(const json& id) const;

  json settings = nullptr;
  // What the editor says it can do, and who it is; for start().
  json capabilities;
  json client_info;
  // What to answer to a request of the server: an object with "result" or "error"; null: nothing
  // now (the test calls respond()); not set or "default": see above.
  std::function<json(const json& request)> on_request;

 private:
  // Reads until something new arrived; false at the deadline or the end of the stream.
  bool read_some(std::chrono::steady_clock::time_point deadline);
  void take(const std::string& body);
  void send(const json& message);
  void check(Sender sender, const json& message, const std::string& method = {});

  const MetaModel* model_;
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
  bool socket_ = false;
  int next_id_ = 1;
  lsp::FrameReader reader_;
  std::map<std::string, std::string> methods_;  // of our requests, by id as JSON
  std::map<std::string, int> reply_counts_;
  std::map<std::string, json> replies_;
  std::deque<json> notifications_, requests_;
  std::vector<std::string> violations_;
};

}  // namespace ambit::testing
