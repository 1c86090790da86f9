// Of the WiFi library for ESP32, what the sketch uses: a network that is always there.
#pragma once

#include <Arduino.h>

struct Client {};
struct WiFiClient : Client {};

enum wifi_mode_t { WIFI_STA = 1 };
enum wl_status_t { WL_CONNECTED = 3 };

struct WiFiClass {
  bool mode(wifi_mode_t) { return true; }
  wl_status_t begin(const char *, const char *) { return WL_CONNECTED; }
  wl_status_t status() { return WL_CONNECTED; }
};
inline WiFiClass WiFi;
