#include "indexer/syntax/annotations.h"

#include <algorithm>
#include <array>

namespace ambit::indexer {
namespace {

// Sorted. Annotations of kernels and C libraries that stand between the words of a declaration.
constexpr auto kAnnotations = std::to_array<std::string_view>({"____cacheline_aligned",
                                                               "____cacheline_aligned_in_smp",
                                                               "__acquires",
                                                               "__aligned",
                                                               "__always_inline",
                                                               "__always_unused",
                                                               "__bitwise",
                                                               "__cacheline_aligned",
                                                               "__cacheline_aligned_in_smp",
                                                               "__cold",
                                                               "__counted_by",
                                                               "__cpuidle",
                                                               "__cpuinit",
                                                               "__deprecated",
                                                               "__designated_init",
                                                               "__devexit",
                                                               "__devinit",
                                                               "__exit",
                                                               "__exitdata",
                                                               "__fastcall",
                                                               "__flatten",
                                                               "__force",
                                                               "__gnu_inline",
                                                               "__hot",
                                                               "__init",
                                                               "__init_memblock",
                                                               "__init_or_module",
                                                               "__initconst",
                                                               "__initdata",
                                                               "__initdata_or_module",
                                                               "__iomem",
                                                               "__irq_entry",
                                                               "__kernel",
                                                               "__kprobes",
                                                               "__latent_entropy",
                                                               "__malloc",
                                                               "__maybe_unused",
                                                               "__meminit",
                                                               "__meminitdata",
                                                               "__must_check",
                                                               "__must_hold",
                                                               "__net_exit",
                                                               "__net_init",
                                                               "__net_initdata",
                                                               "__no_sanitize_address",
                                                               "__nocast",
                                                               "__noclone",
                                                               "__noinline",
                                                               "__noreturn",
                                                               "__notrace_funcgraph",
                                                               "__packed",
                                                               "__page_aligned_bss",
                                                               "__page_aligned_data",
                                                               "__percpu",
                                                               "__printf",
                                                               "__private",
                                                               "__pure",
                                                               "__randomize_layout",
                                                               "__rcu",
                                                               "__read_mostly",
                                                               "__ref",
                                                               "__refdata",
                                                               "__releases",
                                                               "__ro_after_init",
                                                               "__safe",
                                                               "__scanf",
                                                               "__sched",
                                                               "__section",
                                                               "__silken",
                                                               "__sramdata",
                                                               "__unused",
                                                               "__used",
                                                               "__user",
                                                               "__visible",
                                                               "__weak",
                                                               "asmlinkage",
                                                               "noinline",
                                                               "noinline_for_stack",
                                                               "noinstr",
                                                               "notrace"});
static_assert(std::is_sorted(kAnnotations.begin(), kAnnotations.end()));

// Sorted. Endings of macros that stand in front of a declaration.
constexpr std::array kFrontEndings = std::to_array<std::string_view>(
    {"ALWAYS_INLINE", "API", "CONSTEXPR", "DECL", "DEPRECATED", "EXPORT", "EXPORTS", "EXTERN",
     "FORCEINLINE", "FORCE_INLINE", "IMPORT", "INLINE", "LOCAL", "NODISCARD", "NOINLINE",
     "NORETURN", "PUBLIC", "UNUSED", "VISIBLE"});
// Endings of macros with arguments that follow a declarator.
constexpr std::array kBackEndings = std::to_array<std::string_view>(
    {"ACQUIRE", "ACQUIRED_AFTER", "ACQUIRED_BEFORE", "ATTRIBUTE", "EXCLUDED", "EXCLUDES",
     "GUARDED_BY", "LIFETIME_BOUND", "LIKE", "LOCK_FUNCTION", "LOCK_RETURNED", "PRINTF", "RELEASE",
     "REQUIRED", "REQUIRES", "TRYLOCK_FUNCTION"});

template <std::size_t N>
bool ends_with_one(std::string_view w, const std::array<std::string_view, N>& endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view e) {
    return w.ends_with(e) && (w.size() == e.size() || w[w.size() - e.size() - 1] == '_');
  });
}

}  // namespace

bool no_lower_case(std::string_view w) {
  return std::none_of(w.begin(), w.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}
bool all_caps(std::string_view w) {
  return w.size() > 1 &&
         std::all_of(
             w.begin(), w.end(),
             [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }) &&
         w[0] != '_' && !(w[0] >= '0' && w[0] <= '9');
}

bool is_annotation(std::string_view w) {
  return std::binary_search(kAnnotations.begin(), kAnnotations.end(), w);
}
bool is_front_macro(std::string_view w) {
  return ends_with_one(w, kFrontEndings);
}
bool is_back_macro(std::string_view w) {
  return ends_with_one(w, kBackEndings);
}

}  // namespace ambit::indexer
