// Progress of one long piece of work as the editor shows it, and the way back: the editor's cancel.
//
// The token is the client's (workDoneToken of the request) or one that we create where the client
// offers window.workDoneProgress; a client that offers neither, or refuses the token, gets nothing.
// $/cancelRequest of the request and window/workDoneProgress/cancel of the token fire the same stop
// source. A source without a state (std::nostopstate) says that nobody can cancel this.
//
// Any thread, and cheap: a report is stored, and the newest one is sent at most every kInterval.
// Call order begin, report*, end; a second begin and what comes after end are ignored.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>

namespace ambit::daemon {

class Session;

class Progress {
 public:
  static constexpr std::chrono::milliseconds kInterval{100};
  static constexpr int kUnknown = -1;

  // `params` are the request's (workDoneToken, partialResultToken), or null.
  Progress(std::weak_ptr<Session> session, const nlohmann::json& params, std::stop_source stop);
  ~Progress();  // end()
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // percentage 0: a bar that fills; kUnknown: one that only moves.
  void begin(std::string title, int percentage = kUnknown, std::string message = {});
  // A percentage below an earlier one keeps the earlier one.
  void report(int percentage, std::string message = {});
  void end(std::string message = {});

  // Sends a part of the result where the request carried a partialResultToken. Then *all* of the
  // result goes this way, and the final result is empty. False: it did not; collect instead.
  bool partial(nlohmann::json part);
  [[nodiscard]] bool wants_parts() const;

  [[nodiscard]] std::stop_token stop() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace ambit::daemon
