// The outputs for programs: our own JSON, rdjson, SARIF.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/assists/review/format.h"
#include "daemon/version.h"

namespace ambit::daemon::review {
namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json range_json(const Range& r) {
  return {{"start", {{"line", r.line + 1}, {"column", r.column + 1}}},
          {"end", {{"line", r.end_line + 1}, {"column", r.end_column + 1}}}};
}

Json edits_json(const Fix& fix) {
  Json edits = Json::array();
  for (const auto& e : fix.edits) {
    edits.push_back({{"path", e.path}, {"range", range_json(e.range)}, {"text", e.text}});
  }
  return edits;
}

Json rd_diagnostic(const Finding& f) {
  const char* const kSeverity[] = {"INFO", "WARNING", "ERROR"};
  Json d{{"message", f.explanation.empty() ? f.message : f.message + "\n" + f.explanation},
         {"location", {{"path", f.path}, {"range", range_json(f.range)}}},
         {"severity", kSeverity[static_cast<std::size_t>(f.severity)]},
         {"source", {{"name", "ambit"}}},
         {"code", {{"value", f.rule}}}};
  if (f.fix) {
    Json suggestions = Json::array();
    for (const auto& e : f.fix->edits) {
      if (e.path == f.path)
        suggestions.push_back({{"range", range_json(e.range)}, {"text", e.text}});
    }
    if (!suggestions.empty()) d["suggestions"] = std::move(suggestions);
  }
  if (!f.related.empty()) {
    Json related = Json::array();
    for (const auto& r : f.related) {
      related.push_back({{"message", r.message},
                         {"location", {{"path", r.path}, {"range", range_json(r.range)}}}});
    }
    d["relatedLocations"] = std::move(related);
  }
  return d;
}

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

}  // namespace

std::string format_json(const Report& report) {
  Json findings = Json::array();
  std::map<std::string, int> counts{{"error", 0}, {"warning", 0}, {"info", 0}};
  for (const auto& f : report.findings) {
    ++counts[std::string(to_string(f.severity))];
    Json j{{"rule", f.rule},
           {"severity", to_string(f.severity)},
           {"origin", f.origin == Origin::kFact ? "fact" : "model"},
           {"path", f.path},
           {"range", range_json(f.range)},
           {"message", f.message},
           {"explanation", f.explanation},
           {"symbol", f.symbol},
           {"snippet", f.snippet},
           {"fingerprint", f.fingerprint},
           {"confidence", f.confidence}};
    Json related = Json::array();
    for (const auto& r : f.related) {
      related.push_back({{"path", r.path}, {"range", range_json(r.range)}, {"message", r.message}});
    }
    j["related"] = std::move(related);
    j["fix"] = f.fix ? Json{{"title", f.fix->title}, {"edits", edits_json(*f.fix)}} : Json();
    findings.push_back(std::move(j));
  }
  return dumped({{"findings", std::move(findings)},
                 {"summary",
                  {{"change", report.change},
                   {"files", report.files},
                   {"added", report.added},
                   {"removed", report.removed},
                   {"error", counts["error"]},
                   {"warning", counts["warning"]},
                   {"info", counts["info"]},
                   {"suppressed", report.suppressed},
                   {"model", report.model_used ? Json(report.model) : Json()},
                   {"notes", report.notes}}}},
                2);
}

std::string format_rdjson(const Report& report) {
  Json diagnostics = Json::array();
  for (const auto& f : report.findings) diagnostics.push_back(rd_diagnostic(f));
  return dumped({{"source", {{"name", "ambit"}}}, {"diagnostics", std::move(diagnostics)}}, 2);
}

std::string format_rdjsonl(const Report& report) {
  std::string out;
  for (const auto& f : report.findings) out += dumped(rd_diagnostic(f), -1);
  return out;
}

std::string format_sarif(const Report& report, SarifProfile profile) {
  const char* const kLevel[] = {"note", "warning", "error"};
  Json rule_list = Json::array();
  std::map<std::string, std::size_t> index;
  const auto& all = rules();
  for (const auto& rule : all) {
    index[std::string(rule.id)] = rule_list.size();
    rule_list.push_back(
        {{"id", rule.id},
         {"shortDescription", {{"text", rule.summary}}},
         {"fullDescription", {{"text", rule.summary}}},
         {"help", {{"text", std::string(rule.summary) + " See docs/review.md."}}},
         {"defaultConfiguration", {{"level", kLevel[static_cast<std::size_t>(rule.severity)]}}}});
  }
  Json results = Json::array();
  for (const auto& f : report.findings) {
    const auto known = index.find(f.rule);
    const auto rule = known != index.end() ? known->first : std::string("model");
    const auto text = f.explanation.empty() ? f.message : f.message + "\n" + f.explanation;
    Json r{{"ruleId", rule},
           {"ruleIndex", index[rule]},
           {"level", kLevel[static_cast<std::size_t>(f.severity)]},
           {"message", {{"text", text}}},
           {"locations", Json::array({sarif_location(f.path, sarif_region(f.range, f.snippet))})}};
    if (!f.symbol.empty()) {
      r["locations"][0]["logicalLocations"] = Json::array({{{"fullyQualifiedName", f.symbol}}});
    }
    if (!f.related.empty()) {
      Json related = Json::array();
      for (const auto& other : f.related) {
        auto l = sarif_location(other.path, {{"startLine", other.range.line + 1}});
        l["id"] = related.size() + 1;
        l["message"] = {{"text", other.message}};
        related.push_back(std::move(l));
      }
      r["relatedLocations"] = std::move(related);
    }
    if (f.fix) {
      std::map<std::string, Json> by_path;
      for (const auto& e : f.fix->edits) {
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
      r["fixes"] = Json::array(
          {{{"description", {{"text", f.fix->title}}}, {"artifactChanges", std::move(changes)}}});
    }
    if (profile == SarifProfile::kGitHub) {
      r["partialFingerprints"] = {{"ambitFingerprint/v1", f.fingerprint}};
    } else {
      r["fingerprints"] = {{"ambit/v1", f.fingerprint}};
      r["rank"] = std::clamp(f.confidence, 0.0, 1.0) * 100.0;
      r["properties"] = {{"ai/origin", f.origin == Origin::kModel ? "generated" : "none"},
                         {"ambit/origin", f.origin == Origin::kModel ? "model" : "fact"},
                         {"ambit/confidence", f.confidence}};
    }
    results.push_back(std::move(r));
  }
  Json notes = Json::array();
  for (const auto& note : report.notes) {
    notes.push_back({{"level", "note"}, {"message", {{"text", note}}}});
  }
  Json invocation{{"executionSuccessful", true}};
  if (!notes.empty()) invocation["toolExecutionNotifications"] = std::move(notes);
  Json driver{{"name", "ambit"}, {"semanticVersion", version()}, {"rules", std::move(rule_list)}};
  Json run{{"tool", {{"driver", std::move(driver)}}},
           {"automationDetails", {{"id", "ambit/review/"}}},
           {"columnKind", "unicodeCodePoints"},
           {"originalUriBaseIds",
            {{"SRCROOT", {{"description", {{"text", "The root of the repository."}}}}}}},
           {"invocations", Json::array({std::move(invocation)})},
           {"results", std::move(results)}};
  return dumped({{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                 {"version", "2.1.0"},
                 {"runs", Json::array({std::move(run)})}},
                2);
}

}  // namespace ambit::daemon::review
