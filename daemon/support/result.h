// Errors as values. A function that can fail returns Result<T>; its Error carries a code that maps
// to a protocol error and an exit code, and one line for a person: what is wrong and what to do
// next.
#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace ambit {

enum class Code {
  kInvalidArgument,    // the caller's input is wrong (exit code 2)
  kNotFound,           // a file, symbol or id does not exist
  kCorrupt,            // bytes from disk or a peer are not what they claim to be
  kUnsupported,        // understood, but not something that we can do
  kUnavailable,        // no model, no engine, no daemon (exit code 3)
  kCancelled,          // the caller asked for it (exit code 4)
  kTimeout,            // a deadline passed (exit code 4)
  kPermission,         // wrong owner, wrong mode, outside the root
  kResourceExhausted,  // a size, memory or queue limit was reached
  kIo,                 // the operating system refused a read or a write
  kInternal,           // a bug of ours (exit code 5)
};

[[nodiscard]] constexpr std::string_view to_string(Code c) {
  switch (c) {
    case Code::kInvalidArgument:
      return "invalid argument";
    case Code::kNotFound:
      return "not found";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kCancelled:
      return "cancelled";
    case Code::kTimeout:
      return "timed out";
    case Code::kPermission:
      return "permission denied";
    case Code::kResourceExhausted:
      return "resource exhausted";
    case Code::kIo:
      return "i/o error";
    case Code::kInternal:
      return "internal error";
  }
  return "internal error";
}

struct Error {
  Code code = Code::kInternal;
  std::string message;  // one line, no trailing newline
};

template <class T>
using Result = boost::system::result<T, Error>;

[[nodiscard]] inline Error make_error(Code code, std::string message) {
  return Error{code, std::move(message)};
}

// Called by Result<T>::value() on an error: a bug in the caller, who should have checked.
[[noreturn]] inline void throw_exception_from_error(const Error& e, const boost::source_location&) {
  throw std::runtime_error(e.message);
}

// AMBIT_TRY(x, f()); declares x with the value of f(), or returns f()'s error from this function.
#define AMBIT_TRY_CAT2(a, b) a##b
#define AMBIT_TRY_CAT(a, b) AMBIT_TRY_CAT2(a, b)
#define AMBIT_TRY_IMPL(tmp, decl, expr)    \
  auto tmp = (expr);                       \
  if (!tmp) return std::move(tmp).error(); \
  decl = std::move(*tmp)
#define AMBIT_TRY(decl, expr) AMBIT_TRY_IMPL(AMBIT_TRY_CAT(ambit_try_, __LINE__), auto decl, expr)

// AMBIT_CHECK_OK(f()); returns f()'s error from this function, if it has one. For Result<void>.
#define AMBIT_CHECK_OK(expr)                        \
  do {                                              \
    auto ambit_status = (expr);                     \
    if (!ambit_status) return ambit_status.error(); \
  } while (0)

}  // namespace ambit
