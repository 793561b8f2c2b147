// What a step tells the device, in one copy.
#pragma once

#include "inference/device/memory.h"

namespace ambit::inference {

// The arrays of a step as they lie in one upload: counted first, then filled.
class StepUpload {
 public:
  StepUpload(Device& device, DeviceBuffer& staging, DeviceBuffer& target)
      : device_(device), staging_(staging), target_(target) {}

  template <class T>
  struct Array {
    std::size_t at = 0;
  };
  template <class T>
  Array<T> reserve(std::size_t n) {
    const Array<T> out{size_};
    size_ += (n * sizeof(T) + 63) / 64 * 64;
    return out;
  }
  // After the last reserve(). True when the arrays no longer lie where those of other steps lay.
  bool allocate() {
    if (target_.size() >= size_) return false;
    staging_ = DeviceBuffer(device_.api(), 2 * size_, DeviceBuffer::Place::kHost);
    target_ = DeviceBuffer(device_.api(), 2 * size_);
    return true;
  }
  template <class T>
  T* host(Array<T> a) const {
    return reinterpret_cast<T*>(staging_.data() + a.at);
  }
  template <class T>
  T* device(Array<T> a) const {
    return reinterpret_cast<T*>(target_.data() + a.at);
  }
  void send() { device_.copy(target_.data(), staging_.data(), size_); }

 private:
  Device& device_;
  DeviceBuffer& staging_;
  DeviceBuffer& target_;
  std::size_t size_ = 0;
};

}  // namespace ambit::inference
