// Of the Preferences library for ESP32, what the sketch uses: flash that outlives a restart.
#pragma once

#include <Arduino.h>

#include <map>
#include <string>

namespace fake {
inline std::map<std::string, uint32_t> flash;
}  // namespace fake

class Preferences {
 public:
  bool begin(const char *name, bool readOnly = false) {
    (void)name;
    started = !readOnly;
    return true;
  }
  uint32_t getUInt(const char *key, uint32_t defaultValue = 0) {
    const auto found = fake::flash.find(key);
    return found == fake::flash.end() ? defaultValue : found->second;
  }
  size_t putUInt(const char *key, uint32_t value) {
    if (!started) return 0;
    fake::flash[key] = value;
    return sizeof value;
  }

 private:
  bool started = false;
};
