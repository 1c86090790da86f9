// Of the Arduino core for ESP32, what the sketch uses, for a computer: time is a variable.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

namespace fake {
inline unsigned long now = 0;
}  // namespace fake

inline unsigned long millis() { return fake::now; }
inline void delay(uint32_t ms) { fake::now += ms; }
inline float temperatureRead() { return 21.5F; }

struct HardwareSerial {
  void begin(unsigned long) {}
  size_t printf(const char *format, ...) __attribute__((format(printf, 2, 3))) {
    va_list values;
    va_start(values, format);
    const int length = vprintf(format, values);
    va_end(values);
    return (size_t)length;
  }
  size_t println(const char *line) { return (size_t)puts(line); }
};
inline HardwareSerial Serial;
