// Of the library "ArduinoJson" (7), what the sketch uses: objects, strings without escapes, numbers.
#pragma once

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <map>
#include <string>

class JsonDocument {
 public:
  JsonDocument &operator[](const char *key) { return members[key]; }
  const JsonDocument &operator[](const char *key) const {
    static const JsonDocument none;
    const auto found = members.find(key);
    return found == members.end() ? none : found->second;
  }
  JsonDocument &operator=(const char *value) { return text = value, kind = String, *this; }
  JsonDocument &operator=(float value) { return number = value, kind = Number, *this; }
  const char *operator|(const char *fallback) const { return kind == String ? text.c_str() : fallback; }
  unsigned operator|(unsigned fallback) const { return kind == Number ? (unsigned)number : fallback; }

  std::string toString() const {
    char digits[32];
    snprintf(digits, sizeof digits, "%g", number);
    if (kind == String) return '"' + text + '"';
    if (kind == Number) return digits;
    std::string all;
    for (const auto &[key, value] : members) {
      all += (all.empty() ? "\"" : ",\"") + key + "\":" + value.toString();
    }
    return '{' + all + '}';
  }

  // True when a value begins at `at`, which then stands behind it.
  bool read(const char *&at, const char *end) {
    if (at == end) return false;
    if (*at == '"') return kind = String, readText(at, end, text);
    if (*at == '{') return readMembers(++at, end);
    for (const char *word : {"true", "false", "null"}) {
      const size_t length = strlen(word);
      if ((size_t)(end - at) >= length && memcmp(at, word, length) == 0) return at += length, true;
    }
    const char *first = at;
    while (at < end && (isdigit((unsigned char)*at) || strchr("+-.eE", *at) != nullptr)) at++;
    kind = Number;
    number = atof(std::string(first, at).c_str());
    return at > first;
  }

 private:
  enum { Object, String, Number } kind = Object;
  std::string text;
  double number = 0;
  std::map<std::string, JsonDocument> members;

  static bool readText(const char *&at, const char *end, std::string &into) {
    const char *first = ++at;
    while (at < end && *at != '"') at++;
    into.assign(first, at);
    return at < end && at++;
  }
  bool readMembers(const char *&at, const char *end) {
    while (at < end && *at != '}') {
      std::string key;
      if (*at != '"' || !readText(at, end, key) || at == end || *at++ != ':') return false;
      if (!members[key].read(at, end) || at == end) return false;
      if (*at == ',') at++;
    }
    return at < end && at++;
  }
};

// True: it is no JSON.
struct DeserializationError {
  bool failed;
  explicit operator bool() const { return failed; }
};

inline DeserializationError deserializeJson(JsonDocument &into, char *bytes, size_t length) {
  const char *at = bytes;
  return {!into.read(at, bytes + length)};
}
inline size_t measureJson(const JsonDocument &json) { return json.toString().size(); }
inline size_t serializeJson(const JsonDocument &json, char *into, size_t size) {
  return (size_t)snprintf(into, size, "%s", json.toString().c_str());
}
