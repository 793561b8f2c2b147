#include "daemon/record/replay.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>

#include "lsp/framing.h"

namespace ambit::daemon {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr std::size_t kShown = 100;

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

class Replay {
 public:
  Replay(int daemon, ReplayBackend& model, const std::function<void()>& before_asking)
      : daemon_(daemon), model_(model), before_asking_(before_asking) {}

  Result<ReplayReport> run(const std::vector<json>& lines) {
    for (const auto& line : lines) {
      model_.pass(line);
      if (const auto sent = line.find("editor"); sent != line.end()) {
        AMBIT_CHECK_OK(send(*sent));
        if (sent->value("method", "") == "exit") break;
      } else if (const auto got = line.find("daemon"); got != line.end()) {
        AMBIT_CHECK_OK(expect(*got));
      }
    }
    return std::move(report_);
  }

 private:
  Result<void> send(json message) {
    ++report_.from_editor;
    const auto method = message.value("method", "");
    const bool asks = message.contains("id");
    if (method.empty() && asks) {
      // An answer to a question of the daemon, which may have another number this time.
      const auto asked = questions_.find(text_of(message["id"]));
      if (asked == questions_.end()) return {};
      AMBIT_TRY(now, question(asked->second));
      message["id"] = now;
    } else if (asks) {
      methods_[text_of(message["id"])] = message;
      if (method.starts_with("textDocument/") && !std::exchange(asked_before_, true)) {
        before_asking_();
      }
    }
    const auto bytes = lsp::frame(text_of(message));
    if (write_all(daemon_, bytes.data(), bytes.size())) return {};
    return make_error(Code::kUnavailable, "the daemon closed the connection");
  }

  // What the editor got then: waits for the answers, compares them, and notes the questions.
  Result<void> expect(const json& then) {
    if (then.contains("method")) {
      if (then.contains("id")) {
        const auto method = then["method"].get<std::string>();
        questions_[text_of(then["id"])] = {method, asked_of_[method]++};
      }
      return {};
    }
    if (!then.contains("id")) return {};
    const auto id = text_of(then["id"]);
    AMBIT_CHECK_OK(read_until([&] { return !answers_[id].empty(); }, "an answer to " + id));
    const json now = std::move(answers_[id].front());
    answers_[id].pop_front();
    ++report_.answers;
    compare(id, then, now);
    return {};
  }

  void compare(const std::string& id, const json& then, const json& now) {
    const json asked = methods_.contains(id) ? methods_[id] : json::object();
    if (asked.value("/params/command"_json_pointer, "") == "ambit.status") return;
    // Whether the answer to a withdrawn request came before the withdrawal is a matter of moments.
    const auto withdrawn = [](const json& answer) {
      return answer.value("/error/code"_json_pointer, 0) == -32800;
    };
    if (withdrawn(then) || withdrawn(now)) return;
    bool same = then.contains("error") == now.contains("error");
    if (same && then.contains("error")) {
      same = then["error"].value("code", 0) == now["error"].value("code", 0);
    } else if (same) {
      same = then.value("result", json()) == now.value("result", json());
    }
    if (same) return;
    ++report_.different;
    if (report_.differences.size() >= kShown) return;
    report_.differences.push_back(asked.value("method", "an unknown request") + " (" + id +
                                  "): was " + shown(then) + ", is " + shown(now));
  }

  static std::string shown(const json& reply) {
    auto text = text_of(reply.contains("error") ? reply["error"] : reply.value("result", json()));
    if (text.size() > 200) text = text.substr(0, 200) + "…";
    return text;
  }

  struct Question {
    std::string method;
    std::size_t nth = 0;
  };
  // The id that the same question has this time.
  Result<json> question(const Question& wanted) {
    auto& ids = asked_now_[wanted.method];
    AMBIT_CHECK_OK(
        read_until([&] { return ids.size() > wanted.nth; }, "the request " + wanted.method));
    return Result<json>(boost::system::in_place_value, ids[wanted.nth]);
  }

  Result<void> read_until(const std::function<bool()>& done, const std::string& what) {
    const auto deadline = Clock::now() + kPatience;
    while (!done()) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd readable{daemon_, POLLIN, 0};
      const int ready = left <= 0 ? 0 : ::poll(&readable, 1, static_cast<int>(left));
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return make_error(Code::kTimeout, what + " does not come this time");
      std::array<char, 65536> buffer;
      const auto n = ::read(daemon_, buffer.data(), buffer.size());
      if (n <= 0) return make_error(Code::kUnavailable, "the daemon closed the connection");
      reader_.feed({buffer.data(), static_cast<std::size_t>(n)});
      while (auto event = reader_.next()) {
        if (const auto* frame = std::get_if<lsp::Frame>(&*event)) take(frame->body);
      }
    }
    return {};
  }

  void take(const std::string& body) {
    const json message = json::parse(body, nullptr, false);
    if (!message.is_object() || !message.contains("id")) return;
    if (message.contains("method")) {
      asked_now_[message["method"].get<std::string>()].push_back(message["id"]);
    } else {
      answers_[text_of(message["id"])].push_back(message);
    }
  }

  const int daemon_;
  ReplayBackend& model_;
  const std::function<void()>& before_asking_;
  ReplayReport report_;
  lsp::FrameReader reader_;
  bool asked_before_ = false;
  std::map<std::string, json> methods_;                 // the editor's requests, by id
  std::map<std::string, std::deque<json>> answers_;     // by id, not looked at yet
  std::map<std::string, Question> questions_;           // the daemon's then, by id
  std::map<std::string, std::size_t> asked_of_;         // how many then, by method
  std::map<std::string, std::vector<json>> asked_now_;  // ids now, by method
};

}  // namespace

Result<ReplayReport> replay(const std::vector<json>& lines, int daemon, ReplayBackend& model,
                            const std::function<void()>& before_asking) {
  try {
    return Replay(daemon, model, before_asking).run(lines);
  } catch (const json::exception& error) {
    return make_error(Code::kCorrupt, std::string("the recording is damaged: ") + error.what());
  }
}

}  // namespace ambit::daemon
