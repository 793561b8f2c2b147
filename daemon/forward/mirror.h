// What the forwarder remembers of one editor's conversation: enough to tell a fresh daemon all that
// the last one knew, and to leave nothing open in the editor that only the last one would close.
// Malformed messages are the daemon's to answer; here they are skipped. One thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/forward/message_head.h"
#include "daemon/session/documents.h"

namespace ambit::daemon {

class Mirror {
 public:
  // A message of the editor, before it is passed on. False: it answers a daemon that is gone, and
  // must not reach the next one.
  [[nodiscard]] bool from_editor(const MessageHead& head, const std::string& body);

  enum class Route {
    kPass,    // to the editor
    kDrop,    // an answer to something that the forwarder itself asked
    kAnswer,  // answer null in the editor's name: it has this registration already
  };
  [[nodiscard]] Route from_daemon(const MessageHead& head, const std::string& body);

  // The daemon is gone: what the editor must be told so that nothing of it stays open there.
  [[nodiscard]] std::vector<std::string> detach();

  // What to send, in order, once another daemon is connected. Requests that only ask are asked
  // again; what might have acted already is answered with an error. Before initialize both lists
  // are empty.
  struct Replay {
    std::vector<std::string> to_daemon, to_editor;
  };
  [[nodiscard]] Replay replay();

  // The editor's requests that nobody has answered yet, oldest first; forgotten here.
  [[nodiscard]] std::vector<std::string> take_unanswered();

  // The editor has sent initialize …
  [[nodiscard]] bool initialized() const { return !initialize_.empty(); }
  // … and waits for its answer.
  [[nodiscard]] bool initializing() const;
  [[nodiscard]] bool shut_down() const { return shut_down_; }
  [[nodiscard]] const Documents& documents() const { return documents_; }

 private:
  void text_message(std::string_view method, std::string_view params);
  void folders_changed(std::string_view params);
  void progress(std::string_view params);
  // False: the editor has all of it already, from the daemon before this one.
  bool registration(std::string_view params);
  void unregistration(std::string_view params);

  std::string initialize_, initialize_id_;
  std::string configuration_;  // the last didChangeConfiguration
  Documents documents_;
  PositionEncoding encoding_ = PositionEncoding::kUtf16;
  struct Asked {
    std::string id, body;
  };
  std::vector<Asked> pending_;        // requests of the editor, in order
  std::map<std::string, int> asked_;  // raw ids that this daemon asked the editor
  std::map<std::string, int> stale_;  // those of daemons that are gone, yet to be answered
  std::set<std::string> progress_;    // raw tokens that were begun
  std::set<std::string> registered_;  // ids of what daemons registered with the editor
  bool shut_down_ = false;
};

}  // namespace ambit::daemon
