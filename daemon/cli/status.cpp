// `ambit status`, `ambit version`.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "daemon/cli/daemon_client.h"
#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/support/words.h"
#include "daemon/version.h"

namespace ambit::daemon {
namespace {

using nlohmann::json;

std::uint64_t number(const json& of, const char* key) {
  const auto found = of.find(key);
  return found != of.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string words(const json& of, const char* key) {
  const auto found = of.find(key);
  return found != of.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// One line: what it is about, and what there is to say.
void say(const char* about, const std::string& what) {
  std::printf("%-13s %s\n", about, what.c_str());
}

void print_model(const json& model) {
  auto line = words(model, "name");
  if (line.empty()) line = "none";
  line += ": " + words(model, "state");
  // One line for each of several graphics cards (device_model.cpp).
  auto device = words(model, "device");
  std::string cards;
  if (const auto cut = device.find("; "); cut != std::string::npos) {
    cards = device.substr(cut);
    device.resize(cut);
  }
  if (!device.empty()) line += ", on " + device;
  if (const auto weights = number(model, "weights_bytes")) line += ", weights " + sized(weights);
  line += ", state " + sized(number(model, "kv_bytes"));
  line += ", window " + counted(number(model, "context"), "token");
  if (model.value("leaves_machine", false)) line += ", leaves this machine";
  say("model", line);
  while (!cards.empty()) {
    const auto next = std::min(cards.find("; ", 2), cards.size());
    say("", cards.substr(2, next - 2));
    cards.erase(0, next);
  }
  if (const auto problem = words(model, "problem"); !problem.empty()) say("", problem);
}

void print_workspace(const json& workspace) {
  auto line = words(workspace, "root") + ": " + words(workspace, "state") + ", " +
              counted(number(workspace, "files"), "file") + ", " +
              counted(number(workspace, "definitions"), "definition");
  say("repository", line);
  if (const auto& warm = workspace.value("warm", json()); warm.is_object()) {
    say("", "pack " + words(warm, "state") + ": " + grouped(number(warm, "done")) + " of " +
                counted(number(warm, "tokens"), "token") + " warm, room for " +
                grouped(number(warm, "budget")));
  }
  if (const auto problem = words(workspace, "problem"); !problem.empty()) say("", problem);
}

void print_completions(const json& status) {
  const auto completions = status.value("completions", json::object());
  auto line = grouped(number(completions, "answered")) + " answered, " +
              grouped(number(completions, "from_cache")) + " of them ahead of the key";
  if (const auto ms = completions.find("ms"); ms != completions.end() && ms->is_object()) {
    char text[64];
    std::snprintf(text, sizeof text, "; %.0f ms at the median, %.0f at the 95th percentile",
                  ms->value("p50", 0.0), ms->value("p95", 0.0));
    line += text;
  }
  say("completions", line);
  for (const auto& empty : status.value("last_empty_answers", json::array())) {
    say("", "empty " + counted(number(empty, "count"), "time") + ": " + words(empty, "reason"));
  }
}

void print_status(const json& status) {
  const auto memory = status.value("memory", json::object());
  auto head = words(status, "version") + ", process " + std::to_string(number(status, "pid")) +
              ", up " + lasted(status.value("uptime_s", 0.0)) + ", memory " +
              sized(number(memory, "rss_bytes"));
  if (const auto engine = number(memory, "engine_rss_bytes")) {
    head += " and " + sized(engine) + " for the model";
  }
  say("ambit", head);
  print_model(status.value("model", json::object()));
  const auto workspaces = status.value("workspaces", json::array());
  for (const auto& workspace : workspaces) print_workspace(workspace);
  if (workspaces.empty()) say("repository", "none open");
  std::string editors;
  for (const auto& session : status.value("sessions", json::array())) {
    const auto client = words(session, "client");
    if (client.empty()) continue;  // a command, such as this one
    editors += (editors.empty() ? "" : ", ") + client;
  }
  say("editors", editors.empty() ? "none" : editors);
  print_completions(status);
  const auto queue = status.value("queue", json::array());
  for (const auto& entry : queue) {
    say(entry.value("running", false) ? "running" : "waiting",
        words(entry, "what") + ", " + counted(number(entry, "prompt_tokens"), "token"));
  }
  if (queue.empty()) say("queue", "empty");
}

}  // namespace

int status_command(const Arguments& arguments) {
  Options options("status", "[--json]", "What runs.");
  auto& as_json = options.flag("--json", "print one JSON document");
  auto& model = options.text("--model", "", "SPEC", "of the daemon with this model");
  if (auto done = options.parse(arguments)) return *done;
  auto path = daemon_socket(model);
  if (!path) return report(path.error());
  auto fd = connect_local(*path);
  if (!fd) {
    if (fd.error().code != Code::kUnavailable) return report(fd.error());
    return report(
        make_error(Code::kUnavailable, "no daemon runs; the first editor or command starts one"));
  }
  auto status = ask_daemon(fd->get(), "ambit/status", nullptr);
  if (!status) return report(status.error());
  as_json ? print_json(*status) : print_status(*status);
  return kExitDone;
}

int version_command(const Arguments&) {
  std::printf("ambit %s\n", version().data());
  return kExitDone;
}

}  // namespace ambit::daemon
