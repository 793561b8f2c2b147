// SARIF. The profile for readers that weigh findings of models is what Microsoft's Multitool asks
// for with
// `--rule-kind "Sarif;AI"`: rule ids of a taxonomy, the state of the repository, Markdown, no
// fingerprints.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/assists/review/format.h"
#include "daemon/version.h"

namespace ambit::daemon::review {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kLevel[] = {"note", "warning", "error"};

// A path as a relative URI reference: RFC 3986, every byte that is not plainly allowed as %XX.
std::string uri_of(std::string_view path) {
  static const char* const kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '/' || c == '-' || c == '_' || c == '.' || c == '~' || c == '+';
    if (plain) {
      out.push_back(c);
    } else {
      const auto u = static_cast<unsigned char>(c);
      out += {'%', kHex[u >> 4U], kHex[u & 15U]};
    }
  }
  return out;
}

// SARIF counts columns in characters as columnKind says: we give whole lines' columns in Unicode
// code points, computed from the first line of the snippet where it is known.
std::uint32_t points(std::string_view line, std::uint32_t bytes) {
  std::uint32_t n = 0;
  const auto end = std::min<std::size_t>(bytes, line.size());
  for (std::size_t i = 0; i < end; ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0U) != 0x80U) ++n;
  }
  return n + (bytes > line.size() ? static_cast<std::uint32_t>(bytes - line.size()) : 0);
}

Json sarif_region(const Range& r, std::string_view snippet) {
  const auto first = snippet.substr(0, snippet.find('\n'));
  Json region{{"startLine", r.line + 1}};
  if (r.end_line == r.line && r.end_column > r.column) {
    region["startColumn"] = points(first, r.column) + 1;
    region["endColumn"] = points(first, r.end_column) + 1;
  } else if (r.end_line > r.line) {
    region["endLine"] = r.end_column == 0 ? r.end_line : r.end_line + 1;
  }
  return region;
}

Json sarif_location(const std::string& path, Json region) {
  return {{"physicalLocation",
           {{"artifactLocation", {{"uri", uri_of(path)}, {"uriBaseId", "SRCROOT"}}},
            {"region", std::move(region)}}}};
}

// "CWE-798/secret" for what the list of weaknesses knows, "NOVEL-conflict-marker" for the rest.
std::string taxonomy_id(const std::string& rule) {
  if (rule == "secret" || rule == "secret-file") return "CWE-798/" + rule;
  if (rule == "debug-leftover") return "CWE-489/" + rule;
  return "NOVEL-" + rule;
}

Json sarif_related(const Finding& f) {
  Json out = Json::array();
  for (const auto& other : f.related) {
    auto l = sarif_location(other.path, {{"startLine", other.range.line + 1}});
    l["id"] = out.size() + 1;
    l["message"] = {{"text", other.message}};
    out.push_back(std::move(l));
  }
  return out;
}

Json sarif_fix(const Fix& fix) {
  std::map<std::string, Json> by_path;
  for (const auto& e : fix.edits) {
    Json region{{"startLine", e.range.line + 1},
                {"startColumn", e.range.column + 1},
                {"endLine", e.range.end_line + 1},
                {"endColumn", e.range.end_column + 1}};
    by_path[e.path].push_back(
        {{"deletedRegion", std::move(region)}, {"insertedContent", {{"text", e.text}}}});
  }
  Json changes = Json::array();
  for (auto& [path, replacements] : by_path) {
    changes.push_back({{"artifactLocation", {{"uri", uri_of(path)}, {"uriBaseId", "SRCROOT"}}},
                       {"replacements", std::move(replacements)}});
  }
  return {{"description", {{"text", fix.title}}}, {"artifactChanges", std::move(changes)}};
}

// The rules, and where each stands in the list: one entry for all of a weakness.
struct RuleList {
  Json rules = Json::array();
  std::map<std::string, std::size_t> index;  // of its id in `rules`
};
RuleList rule_list(bool ai) {
  RuleList out;
  for (const auto& rule : rules()) {
    auto id = std::string(rule.id);
    if (ai) id = taxonomy_id(id);
    id = id.substr(0, id.find('/'));
    if (!out.index.emplace(id, out.rules.size()).second) continue;
    out.rules.push_back(
        {{"id", id},
         {"shortDescription", {{"text", rule.summary}}},
         {"fullDescription", {{"text", rule.summary}}},
         {"help", {{"text", std::string(rule.summary) + " See docs/review.md."}}},
         {"defaultConfiguration", {{"level", kLevel[static_cast<std::size_t>(rule.severity)]}}}});
  }
  return out;
}

Json sarif_result(const Finding& f, const RuleList& list, bool ai) {
  const auto known = std::any_of(rules().begin(), rules().end(),
                                 [&](const RuleInfo& rule) { return rule.id == f.rule; });
  const auto rule = known ? f.rule : std::string("model");
  const auto id = ai ? taxonomy_id(rule) : rule;
  const auto text = f.explanation.empty() ? f.message : f.message + "\n" + f.explanation;
  Json r{{"ruleId", id},
         {"ruleIndex", list.index.at(id.substr(0, id.find('/')))},
         {"level", kLevel[static_cast<std::size_t>(f.severity)]},
         {"message", {{"text", text}}},
         {"locations", Json::array({sarif_location(f.path, sarif_region(f.range, f.snippet))})}};
  if (!f.symbol.empty()) {
    r["locations"][0]["logicalLocations"] = Json::array({{{"fullyQualifiedName", f.symbol}}});
  }
  if (!f.related.empty()) r["relatedLocations"] = sarif_related(f);
  if (f.fix) r["fixes"] = Json::array({sarif_fix(*f.fix)});
  if (!ai) {
    r["partialFingerprints"] = {{"ambitFingerprint/v1", f.fingerprint}};
    return r;
  }
  r["message"]["markdown"] = finding_markdown(f);
  r["rank"] = std::clamp(f.confidence, 0.0, 1.0) * 100.0;
  r["properties"] = {{"ambit/origin", f.origin == Origin::kModel ? "model" : "fact"},
                     {"ambit/confidence", f.confidence},
                     {"ambit/fingerprint", f.fingerprint}};
  return r;
}

// The state that was looked at: the commit after the change, of what is staged the one before.
Json provenance(const Report& report) {
  const auto is_commit = [](std::string_view id) {
    return id.size() >= 7 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  };
  Json out{{"repositoryUri", "file://" + uri_of(report.root)},
           {"mappedTo", {{"uriBaseId", "SRCROOT"}}},
           {"properties", {{"ambit/change", report.change}}}};
  const auto dots = report.change.find("..");
  const auto from = report.change.substr(0, dots);
  const auto to = dots == std::string::npos ? std::string() : report.change.substr(dots + 2);
  if (is_commit(to)) {
    out["revisionId"] = to;
  } else if (is_commit(from)) {
    out["revisionId"] = from;
  }
  return out;
}

}  // namespace

std::string format_sarif(const Report& report, SarifProfile profile) {
  const bool ai = profile == SarifProfile::kAi;
  auto list = rule_list(ai);
  Json results = Json::array();
  for (const auto& f : report.findings) results.push_back(sarif_result(f, list, ai));
  Json notes = Json::array();
  for (const auto& note : report.notes) {
    notes.push_back({{"level", "note"}, {"message", {{"text", note}}}});
  }
  Json invocation{{"executionSuccessful", true}};
  if (!notes.empty()) invocation["toolExecutionNotifications"] = std::move(notes);
  Json driver{{"name", "ambit"}, {"semanticVersion", version()}, {"rules", std::move(list.rules)}};
  Json run{{"tool", {{"driver", std::move(driver)}}},
           {"automationDetails", {{"id", "ambit/review/"}}},
           {"columnKind", "unicodeCodePoints"},
           {"originalUriBaseIds",
            {{"SRCROOT", {{"description", {{"text", "The root of the repository."}}}}}}},
           {"invocations", Json::array({std::move(invocation)})},
           {"results", std::move(results)}};
  if (ai) {
    run["versionControlProvenance"] = Json::array({provenance(report)});
    // "synthesized": of a model and of other tools; "annotated": of other tools.
    run["properties"] = {{"ai/origin", report.model_used ? "synthesized" : "annotated"}};
  }
  const Json out{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                 {"version", "2.1.0"},
                 {"runs", Json::array({std::move(run)})}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ambit::daemon::review
