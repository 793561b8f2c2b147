#include "lsp/json_value.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ambit::lsp {
namespace {

// The deepest nesting of arrays and objects; counted before parsing, because a parsed tree is read,
// written and compared by recursion.
int nesting(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

// The value of "\uXXXX" at text[at], or -1.
int escaped_unit(std::string_view text, std::size_t at) {
  if (text.size() < at + 6 || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int value = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// The text with every escaped surrogate that lacks its other half replaced by \ufffd.
std::string repair_surrogates(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    if (out[i] != '\\') continue;
    const int unit = escaped_unit(out, i);
    if (unit < 0xD800 || unit > 0xDFFF) {
      ++i;  // also steps over an escaped backslash
      continue;
    }
    const int other = unit < 0xDC00 ? escaped_unit(out, i + 6) : -1;
    if (other >= 0xDC00 && other <= 0xDFFF) {
      i += 11;
    } else {
      out.replace(i, 6, "\\ufffd");
      i += 5;
    }
  }
  return out;
}

const nlohmann::json& null_value() {
  static const nlohmann::json null;
  return null;
}

}  // namespace

Json::Json(nlohmann::json value)
    : value_(value.is_null() ? nullptr : std::make_shared<const nlohmann::json>(std::move(value))) {
}

Result<nlohmann::json> parse_tree(std::string_view text) {
  if (nesting(text) > Json::kMaxDepth) {
    return make_error(Code::kCorrupt, "JSON nests deeper than " + std::to_string(Json::kMaxDepth));
  }
  auto value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    value = nlohmann::json::parse(repair_surrogates(text), nullptr, /*allow_exceptions=*/false);
  }
  if (value.is_discarded()) return make_error(Code::kCorrupt, "the message is not valid JSON");
  return Result<nlohmann::json>(boost::system::in_place_value, std::move(value));
}

Result<Json> Json::parse(std::string_view text) {
  auto tree = parse_tree(text);
  if (!tree) return tree.error();
  return Json(std::move(*tree));
}

std::string Json::dump() const {
  return value().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Json Json::string(std::string_view text) {
  return Json(nlohmann::json(text));
}
Json Json::integer(std::int64_t value) {
  return Json(nlohmann::json(value));
}
Json Json::boolean(bool value) {
  return Json(nlohmann::json(value));
}

bool Json::is_null() const {
  return value_ == nullptr;
}
const nlohmann::json& Json::value() const {
  return value_ ? *value_ : null_value();
}

bool operator==(const Json& a, const Json& b) {
  return a.value_ == b.value_ || a.value() == b.value();
}

}  // namespace ambit::lsp
