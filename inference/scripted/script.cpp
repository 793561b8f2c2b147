#include "inference/scripted/script.h"

#include <nlohmann/json.hpp>

#include "inference/scripted/regex.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxRules = 10'000;
constexpr std::uint64_t kMaxDelayMs = 3'600'000;

Error invalid(const std::string& what) {
  return make_error(Code::kInvalidArgument, "script: " + what);
}

// Reads members of one object, remembers the first error, and knows which members were asked for.
class Reader {
 public:
  Reader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) fail("is no object");
  }

  const Json* find(const char* key) {
    known_.emplace_back(key);
    if (!object_.is_object()) return nullptr;
    const auto it = object_.find(key);
    return it == object_.end() ? nullptr : &*it;
  }
  void text(const char* key, std::string& out) {
    const Json* v = find(key);
    if (v == nullptr) return;
    if (!v->is_string()) return fail(std::string(key) + " is no text");
    out = v->get<std::string>();
  }
  void flag(const char* key, bool& out) {
    const Json* v = find(key);
    if (v == nullptr) return;
    if (!v->is_boolean()) return fail(std::string(key) + " is neither true nor false");
    out = v->get<bool>();
  }
  template <class T>
  void count(const char* key, T& out, std::uint64_t max) {
    const Json* v = find(key);
    if (v == nullptr) return;
    if (!v->is_number_unsigned() || v->get<std::uint64_t>() > max) {
      return fail(std::string(key) + " is no whole number from 0 to " + std::to_string(max));
    }
    out = static_cast<T>(v->get<std::uint64_t>());
  }
  // One of the names; the index of it, or -1 when absent.
  int choice(const char* key, std::initializer_list<std::string_view> names) {
    std::string value;
    text(key, value);
    if (value.empty()) return -1;
    int index = 0;
    for (const auto name : names) {
      if (name == value) return index;
      ++index;
    }
    fail(std::string(key) + " has the unknown value '" + value + "'");
    return -1;
  }
  void texts(const char* key, std::vector<std::string>& out) {
    const Json* v = find(key);
    if (v == nullptr) return;
    if (v->is_string()) {
      out.push_back(v->get<std::string>());
      return;
    }
    if (!v->is_array()) return fail(std::string(key) + " is neither text nor a list of texts");
    for (const Json& entry : *v) {
      if (!entry.is_string()) return fail(std::string(key) + " has an entry that is no text");
      out.push_back(entry.get<std::string>());
    }
  }
  void fail(const std::string& what) {
    if (error_.empty()) error_ = where_ + " " + what;
  }
  // Call last: members that nobody asked for are spelling mistakes.
  Result<void> finish() {
    if (error_.empty() && object_.is_object()) {
      for (const auto& [key, value] : object_.items()) {
        if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
          fail("has the unknown member '" + key + "'");
        }
      }
    }
    if (!error_.empty()) return invalid(error_);
    return {};
  }

 private:
  const Json& object_;
  std::string where_;
  std::string error_;
  std::vector<std::string> known_;
};

Result<ScriptRule> parse_rule(const Json& json, const std::string& where) {
  ScriptRule rule;
  Reader in(json, where);
  in.texts("match", rule.match);
  std::string regex;
  in.text("regex", regex);
  if (!regex.empty()) {
    AMBIT_TRY(compiled, Regex::compile(regex));
    rule.regex = std::make_shared<const Regex>(std::move(compiled));
  }
  in.flag("expand", rule.expand);
  if (const int p = in.choice("priority", {"keystroke", "command", "hook", "background"}); p >= 0) {
    rule.priority = static_cast<Priority>(p);
  }
  in.count("times", rule.times, 1U << 30);
  in.texts("answer", rule.answers);
  in.texts("answers", rule.answers);
  if (const Json* ids = in.find("ids")) {
    if (!ids->is_array()) in.fail("ids is no list");
    for (const Json& id : *ids) {
      if (!id.is_number_integer() || id.get<std::int64_t>() < 0 ||
          id.get<std::int64_t>() > std::int64_t{1} << 30) {
        in.fail("ids has an entry that is no token id");
        break;
      }
      rule.ids.push_back(id.get<TokenId>());
    }
  }
  in.count("delay_ms", rule.delay_ms, kMaxDelayMs);
  in.count("token_delay_ms", rule.token_delay_ms, kMaxDelayMs);
  in.count("tokens_per_step", rule.tokens_per_step, 1U << 20);
  if (rule.tokens_per_step == 0) in.fail("tokens_per_step is 0");
  if (const Json* v = in.find("logprob")) {
    if (!v->is_number() || v->get<double>() > 0) in.fail("logprob is no number up to 0");
    if (v->is_number()) rule.logprob = v->get<float>();
  }
  if (in.choice("finish", {"stop", "length"}) == 1) rule.finish = Finish::kLength;
  if (const int f = in.choice("fault", {"error", "hang", "crash", "exit", "garbage"}); f >= 0) {
    rule.fault = static_cast<ScriptRule::Fault>(f + 1);
  }
  in.count("fault_after", rule.fault_after, 1U << 30);
  in.text("error", rule.error.message);
  constexpr Code kCodes[] = {Code::kUnavailable, Code::kTimeout, Code::kInternal,
                             Code::kResourceExhausted};
  if (const int c = in.choice("code", {"unavailable", "timeout", "internal", "exhausted"});
      c >= 0) {
    rule.error.code = kCodes[c];
  }
  AMBIT_CHECK_OK(in.finish());
  return rule;
}

}  // namespace

Result<Script> parse_script(std::string_view text) {
  const Json root = Json::parse(text, nullptr, /*allow_exceptions=*/false, /*comments=*/true);
  if (root.is_discarded()) return invalid("it is not valid JSON");
  Script script;
  Reader in(root, "the document");
  in.text("name", script.name);
  in.count("context", script.context, std::uint64_t{1} << 40);
  constexpr BackendState kStates[] = {BackendState::kReady, BackendState::kCold,
                                      BackendState::kLoading, BackendState::kUnavailable};
  if (const int s = in.choice("state", {"ready", "cold", "loading", "unavailable"}); s >= 0) {
    script.state = kStates[s];
  }
  in.count("load_ms", script.load_ms, kMaxDelayMs);
  in.text("problem", script.problem);
  in.count("max_requests", script.max_requests, 1U << 20);
  std::string record;
  in.text("record", record);
  script.record = record;
  if (const Json* rules = in.find("rules")) {
    if (!rules->is_array() || rules->size() > kMaxRules) in.fail("rules is no list");
    if (rules->is_array()) {
      for (const Json& rule : *rules) {
        AMBIT_TRY(parsed, parse_rule(rule, "rule " + std::to_string(script.rules.size())));
        script.rules.push_back(std::move(parsed));
        if (script.rules.size() == kMaxRules) break;
      }
    }
  }
  if (const Json* fallback = in.find("default")) {
    AMBIT_TRY(parsed, parse_rule(*fallback, "default"));
    script.fallback = std::move(parsed);
  }
  AMBIT_CHECK_OK(in.finish());
  return script;
}

bool rule_matches(const ScriptRule& rule, std::string_view prompt, Priority priority,
                  std::vector<std::string>& groups) {
  groups.clear();
  if (rule.times == 0 || (rule.priority && *rule.priority != priority)) return false;
  for (const std::string& text : rule.match) {
    if (prompt.find(text) == std::string_view::npos) return false;
  }
  if (!rule.regex) return true;
  return static_cast<const Regex*>(rule.regex.get())->search(prompt, groups);
}

std::string expand_answer(const ScriptRule& rule, std::string_view answer,
                          const std::vector<std::string>& groups) {
  if (!rule.expand) return std::string(answer);
  std::string out;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const bool reference =
        answer[i] == '$' && i + 1 < answer.size() && answer[i + 1] >= '0' && answer[i + 1] <= '9';
    if (!reference) {
      out.push_back(answer[i]);
      continue;
    }
    const auto group = static_cast<std::size_t>(answer[++i] - '0');
    if (group < groups.size()) out.append(groups[group]);
  }
  return out;
}

}  // namespace ambit::inference
