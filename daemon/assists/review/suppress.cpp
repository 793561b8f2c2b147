#include "daemon/assists/review/suppress.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/paths.h"
#include "daemon/support/file.h"
#include "indexer/git/repository.h"

namespace ambit::daemon::review {
namespace {

constexpr std::uint64_t kMaxBaselineBytes = std::uint64_t{64} << 20;

bool names_rule(std::string_view line, std::string_view rule) {
  constexpr std::string_view kMark = "ambit:ignore";
  const auto at = line.find(kMark);
  if (at == std::string_view::npos) return false;
  auto rest = line.substr(at + kMark.size());
  if (!rest.starts_with(' ')) return false;
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto end = std::min(rest.find(' '), rest.size());
  auto words = rest.substr(0, end);
  auto reason = rest.substr(end);
  for (const std::string_view close : {"*/", "-->", "%>"}) {
    if (const auto stop = reason.find(close); stop != std::string_view::npos) {
      reason = reason.substr(0, stop);
    }
  }
  if (reason.find_first_not_of(" \t:-") == std::string_view::npos) return false;
  while (!words.empty()) {
    const auto comma = std::min(words.find(','), words.size());
    const auto word = words.substr(0, comma);
    if (word == rule || word == "all") return true;
    words.remove_prefix(std::min(comma + 1, words.size()));
  }
  return false;
}

// A line that holds nothing but a comment speaks for the line after it.
bool only_comment(std::string_view line) {
  const auto first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return false;
  const auto rest = line.substr(first);
  for (const std::string_view mark : {"//", "#", "/*", "*", "--", "<!--", ";", "%"}) {
    if (rest.starts_with(mark)) return true;
  }
  return false;
}

}  // namespace

bool suppressed_in_source(std::string_view text, const Finding& finding) {
  const auto starts = line_starts(text);
  if (names_rule(line_text(text, starts, finding.range.line), finding.rule)) return true;
  if (finding.range.line == 0) return false;
  const auto above = line_text(text, starts, finding.range.line - 1);
  return only_comment(above) && names_rule(above, finding.rule);
}

Result<Baseline> Baseline::load(const std::filesystem::path& file) {
  Baseline out;
  std::error_code ec;
  if (!std::filesystem::exists(file, ec)) return out;
  AMBIT_TRY(text, read_file(file, kMaxBaselineBytes));
  const auto document = nlohmann::json::parse(text, nullptr, false);
  const auto bad = [&](const char* what) {
    return make_error(Code::kCorrupt, file.string() + " is not a baseline of ambit: " + what +
                                          "; write a new one with --update-baseline");
  };
  if (!document.is_object()) return bad("it is not a JSON object");
  const auto version = document.find("version");
  if (version == document.end() || *version != 1) return bad("its version is not 1");
  const auto list = document.find("findings");
  if (list == document.end() || !list->is_array()) return bad("it has no list of findings");
  for (const auto& item : *list) {
    const auto word = [&](const char* key) -> std::string {
      if (!item.is_object()) return "";
      const auto it = item.find(key);
      return it != item.end() && it->is_string() ? it->get<std::string>() : "";
    };
    Entry e{word("fingerprint"), word("rule"), word("path")};
    if (e.fingerprint.empty()) return bad("a finding has no fingerprint");
    out.fingerprints_.insert(e.fingerprint);
    out.entries_.insert(std::move(e));
  }
  return out;
}

Result<void> Baseline::save(const std::filesystem::path& file) const {
  std::string text = "{\"version\": 1, \"findings\": [\n";
  bool first = true;
  for (const auto& e : entries_) {
    if (!first) text += ",\n";
    first = false;
    nlohmann::ordered_json line{{"fingerprint", e.fingerprint}, {"rule", e.rule}, {"path", e.path}};
    text += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  text += "\n]}\n";
  std::error_code ec;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), ec);
  FileSystem disk;
  return disk.replace(file, text, 0644);
}

bool Baseline::add(const std::vector<Finding>& findings) {
  bool any = false;
  for (const auto& f : findings) {
    if (!fingerprints_.insert(f.fingerprint).second) continue;
    entries_.insert({f.fingerprint, f.rule, f.path});
    any = true;
  }
  return any;
}

bool Baseline::remove(const std::string& fingerprint) {
  std::erase_if(entries_, [&](const Entry& e) { return e.fingerprint == fingerprint; });
  return fingerprints_.erase(fingerprint) > 0;
}

std::filesystem::path dismissals_file(const std::filesystem::path& root) {
  const auto name = indexer::hash_blob(root.lexically_normal().string()).hex().substr(0, 16);
  return state_directory() / "review" / (name + ".json");
}

Sifted sift(std::vector<Finding>& findings, const ChangeSet& change, const Baseline& baseline,
            const Baseline& dismissals) {
  Sifted out;
  std::erase_if(findings, [&](const Finding& f) {
    const auto* file = change.find(f.path);
    if (file != nullptr && file->after && suppressed_in_source(file->after->text, f)) {
      ++out.in_source;
      return true;
    }
    if (baseline.contains(f)) {
      ++out.in_baseline;
      return true;
    }
    if (dismissals.contains(f)) {
      ++out.dismissed;
      return true;
    }
    return false;
  });
  return out;
}

}  // namespace ambit::daemon::review
