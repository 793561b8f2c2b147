#include "inference/tokenizer/chat_json.h"

#include <charconv>
#include <cmath>

namespace ambit::inference {
namespace {

using Json = nlohmann::ordered_json;

// Python's repr: the shortest digits, as a decimal for exponents -4 to 15.
std::string float_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  const double size = std::fabs(value);
  const bool decimal = size == 0 || (size >= 1e-4 && size < 1e16);
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                                 decimal ? std::chars_format::fixed : std::chars_format::scientific)
                       .ptr;
  std::string text(buffer, end);
  if (decimal && text.find('.') == std::string::npos) text += ".0";
  return text;
}

void append(const Json& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    const char* separator = "";
    for (const auto& [key, member] : value.items()) {
      out += separator;
      append(Json(key), out);
      out += ": ";
      append(member, out);
      separator = ", ";
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    const char* separator = "";
    for (const auto& element : value) {
      out += separator;
      append(element, out);
      separator = ", ";
    }
    out += ']';
  } else if (value.is_number_float()) {
    out += float_text(value.get<double>());
  } else {
    out += value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

}  // namespace

std::string dump_spaced(const Json& value) {
  std::string out;
  append(value, out);
  return out;
}

}  // namespace ambit::inference
