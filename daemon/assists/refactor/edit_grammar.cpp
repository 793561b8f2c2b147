#include "daemon/assists/refactor/edit_grammar.h"

#include <algorithm>

#include "daemon/assists/answer_grammar.h"

namespace ambit::daemon {
namespace {

// Lines of code, none of which could be taken for a mark of the format.
constexpr std::string_view kCode = R"G(
code ::= line*
line ::= "\n" | first rest | "@" at
rest ::= (char | "\t")* "\n"
first ::= [\x20-\x3F\x41-\x7E] | beyond | "\t"
at ::= "\n" | first rest | "@" two
two ::= "\n" | ([\x21-\x7E] | beyond | "\t") rest
)G";

// Runs of lines that stand together in the text, as rules; the name of the one that is any run.
// Empty when the file has too many lines, or none.
std::string quoted_lines(const OfferedFile& file, std::size_t number, std::string& rules) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < file.text.size();) {
    const auto end = std::min(file.text.find('\n', at), file.text.size());
    lines.push_back(std::string_view(file.text).substr(at, end - at));
    at = end + 1;
    if (lines.size() > kMaxAlternatives) return "";
  }
  const auto can_be_quoted = [](std::string_view line) {
    return line != "[\xE2\x80\xA6]" && !line.starts_with("@@ ") &&
           line.find('\r') == std::string_view::npos;
  };
  const auto prefix = "file-" + std::to_string(number) + "-line-";
  std::string any;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!can_be_quoted(lines[i])) continue;
    const auto name = prefix + std::to_string(i);
    any += (any.empty() ? "" : " | ") + name;
    rules += name + " ::= " + grammar_literal(std::string(lines[i]) + "\n");
    if (i + 1 < lines.size() && can_be_quoted(lines[i + 1])) {
      rules += " (" + prefix + std::to_string(i + 1) + ")?";
    }
    rules += "\n";
  }
  if (any.empty()) return "";
  const auto name = "file-" + std::to_string(number) + "-lines";
  rules += name + " ::= " + any + "\n";
  return name;
}

}  // namespace

std::string steps_grammar(const std::vector<OfferedFile>& offered) {
  std::string rules = R"G(root ::= step+
step ::= "step: " title "\n" (index | change+)
title ::= [\x21-\x7E] char*
index ::= "index: " ("rename " | "add parameter " | "remove parameter " | "move ") title "\n"
change ::= edit | create
create ::= "create: " part ("/" part)* "\n@@ new\n" code "@@ end\n"
part ::= [A-Za-z0-9_] [A-Za-z0-9_.-]*
)G";
  std::string edit;
  for (std::size_t i = 0; i < offered.size(); ++i) {
    auto lines = quoted_lines(offered[i], i, rules);
    if (lines.empty()) lines = "line code";
    const auto pair = "file-" + std::to_string(i) + "-edit";
    rules += pair + " ::= \"@@ old\\n\" (" + lines + ") \"@@ new\\n\" code \"@@ end\\n\"\n";
    edit +=
        (edit.empty() ? "" : " | ") + grammar_literal(offered[i].path + "\n") + " " + pair + "+";
  }
  rules += "edit ::= \"edit: \" (" + edit + ")\n";
  rules += kCode;
  rules += text_rules();
  return rules;
}

std::string replacement_grammar() {
  return "root ::= \"@@ new\\n\" code \"@@ end\\n\"\n" + std::string(kCode) +
         std::string(text_rules());
}

}  // namespace ambit::daemon
