#include "daemon/assists/answer_grammar.h"

namespace ambit::daemon {

std::string grammar_literal(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u < 0x20 || u >= 0x7F) {
      out += "\\x";
      out += kHex[u >> 4U];
      out += kHex[u & 15U];
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Beyond ASCII: table 3-7 of the Unicode standard, well-formed UTF-8.
std::string_view text_rules() {
  return R"G(
char ::= [\x20-\x7E] | beyond
beyond ::= [\xC2-\xDF] tail | "\xE0" [\xA0-\xBF] tail | [\xE1-\xEC\xEE\xEF] tail tail
  | "\xED" [\x80-\x9F] tail | "\xF0" [\x90-\xBF] tail tail | [\xF1-\xF3] tail tail tail
  | "\xF4" [\x80-\x8F] tail tail
tail ::= [\x80-\xBF]
json-string ::= "\"" ([\x20\x21\x23-\x5B\x5D-\x7E] | beyond | "\\" ["\\/nt])* "\""
)G";
}

}  // namespace ambit::daemon
