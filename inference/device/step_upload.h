// What a step tells the device, in one copy.
#pragma once

#include "inference/device/memory.h"

namespace ambit::inference {

struct UploadRoom {
  DeviceBuffer staging;  // pinned
  DeviceBuffer target;
};

// The arrays of a step as they lie in one upload: counted first, then filled.
class StepUpload {
 public:
  StepUpload(Device& device, UploadRoom& room) : device_(device), room_(room) {}

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
    if (room_.target.size() >= size_) return false;
    room_.staging = DeviceBuffer(device_, 2 * size_, DeviceBuffer::Place::kHost);
    room_.target = DeviceBuffer(device_, 2 * size_);
    return true;
  }
  template <class T>
  T* host(Array<T> a) const {
    return reinterpret_cast<T*>(room_.staging.data() + a.at);
  }
  template <class T>
  T* device(Array<T> a) const {
    return reinterpret_cast<T*>(room_.target.data() + a.at);
  }
  void send() { device_.copy(room_.target.data(), room_.staging.data(), size_); }

 private:
  Device& device_;
  UploadRoom& room_;
  std::size_t size_ = 0;
};

}  // namespace ambit::inference
