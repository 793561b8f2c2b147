// Time that tests can turn. Production code takes a Clock&; steady_clock() is the real one.
#pragma once

#include <chrono>

namespace ambit {

class Clock {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  virtual ~Clock() = default;
  [[nodiscard]] virtual time_point now() const { return std::chrono::steady_clock::now(); }
};

[[nodiscard]] inline const Clock& steady_clock() {
  static const Clock real;
  return real;
}

class FakeClock : public Clock {
 public:
  [[nodiscard]] time_point now() const override { return now_; }
  void advance(std::chrono::steady_clock::duration d) { now_ += d; }

 private:
  time_point now_{};
};

[[nodiscard]] inline double elapsed_ms(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace ambit
