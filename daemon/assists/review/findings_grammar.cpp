#include "daemon/assists/review/findings_grammar.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/assists/answer_grammar.h"
#include "daemon/assists/review/finding.h"
#include "indexer/secrets.h"

namespace ambit::daemon::review {
namespace {

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The words of a line that stand for it; "" for a line that cannot be quoted.
std::string quote_of(std::string_view line) {
  auto out = indexer::redact_secrets(line);
  const auto begin = out.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return "";
  out = out.substr(begin, out.find_last_not_of(" \t\r") + 1 - begin);
  if (out.size() > kMaxQuoteBytes) {
    auto cut = kMaxQuoteBytes;
    while (cut > 0 && (static_cast<unsigned char>(out[cut]) & 0xC0U) == 0x80U) --cut;
    out.resize(cut);
  }
  const bool whole = nlohmann::json::parse(json_text(out)).get<std::string>() == out;  // UTF-8
  return whole && normalise_code(out).size() >= 2 ? out : "";
}

// `number, "quote": "…"` of each changed line; "" when there are too many to hold apart, or none.
std::string changed_lines(const ChangedFile& file) {
  const auto starts = line_starts(file.after->text);
  std::string out;
  std::size_t count = 0;
  for (const auto& part : file.changed()) {
    for (auto line = part.begin; line < part.end; ++line) {
      const auto quote = quote_of(line_text(file.after->text, starts, line));
      if (quote.empty()) continue;
      if (++count > kMaxAlternatives) return "";
      out += (out.empty() ? "" : " | ") +
             grammar_literal(std::to_string(line + 1) + ", \"quote\": " + json_text(quote));
    }
  }
  return out;
}

}  // namespace

std::string findings_grammar(const ChangeSet& change, std::size_t most,
                             const std::function<bool(const ChangedFile&)>& shown) {
  std::string rules, places;
  std::size_t count = 0;
  for (const auto& file : change.files) {
    if (!file.after || file.changed().empty() || !shown(file)) continue;
    if (++count > kMaxAlternatives) break;
    auto lines = changed_lines(file);
    if (lines.empty()) lines = "[1-9] [0-9]* \", \\\"quote\\\": \" json-string";
    const auto name = "file-" + std::to_string(count);
    rules += name + " ::= " + lines + "\n";
    places += (places.empty() ? "" : " | ") +
              grammar_literal(json_text(file.path) + ", \"line\": ") + " " + name;
  }
  std::string list;
  if (!places.empty()) {
    for (std::size_t i = 0; i < most; ++i) list += i == 0 ? "(finding" : " (\", \" finding";
    for (std::size_t i = 0; i < most; ++i) list += ")?";
  }
  std::string out = "root ::= \"{\\\"findings\\\": [\" " + list + " \"]}\"\n";
  if (places.empty()) return out;
  out += "finding ::= \"{\\\"path\\\": \" (" + places + ")" + R"G(
  ", \"message\": " json-string ", \"why\": " json-string ", \"confidence\": " sure "}"
sure ::= "0." [0-9] [0-9]? | "1.0"
)G";
  out += rules;
  out += text_rules();
  return out;
}

}  // namespace ambit::daemon::review
