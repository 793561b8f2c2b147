#include "inference/scripted/regex.h"

#include <algorithm>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace ambit::inference {

Result<Regex> Regex::compile(std::string_view pattern) {
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* compiled =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_MULTILINE, &code, &offset, nullptr);
  if (compiled == nullptr) {
    PCRE2_UCHAR message[128] = {};
    pcre2_get_error_message(code, message, sizeof message);
    return make_error(Code::kInvalidArgument, "script: regex, at offset " + std::to_string(offset) +
                                                  ": " + reinterpret_cast<const char*>(message));
  }
  Regex regex;
  regex.code_ = std::shared_ptr<void>(
      compiled, [](void* p) { pcre2_code_free(static_cast<pcre2_code*>(p)); });
  return regex;
}

bool Regex::search(std::string_view text, std::vector<std::string>& groups) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(code, nullptr), &pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
      pcre2_match_context_create(nullptr), &pcre2_match_context_free);
  if (!data || !context) return false;
  pcre2_set_match_limit(context.get(), 10'000'000);
  pcre2_set_heap_limit(context.get(), 64 * 1024);  // KiB
  const int n = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                            data.get(), context.get());
  if (n <= 0) return false;
  const PCRE2_SIZE* at = pcre2_get_ovector_pointer(data.get());
  groups.clear();
  for (int i = 0; i < std::min(n, 10); ++i) {
    const PCRE2_SIZE begin = at[2 * i];
    const PCRE2_SIZE end = at[2 * i + 1];
    groups.emplace_back(begin == PCRE2_UNSET ? std::string_view()
                                             : text.substr(begin, end - begin));
  }
  return true;
}

}  // namespace ambit::inference
