// Of the library "MQTT" (2.5), what the sketch uses, with its signatures: it records what is
// published, and run.cpp is the broker.
#pragma once

#include <Arduino.h>
#include <WiFi.h>

#include <string>
#include <vector>

class MQTTClient;
typedef void (*MQTTClientCallbackAdvanced)(MQTTClient *client, char topic[], char bytes[], int length);

namespace fake {
struct Packet {
  std::string topic;
  std::string payload;
  bool retained;
  int qos;
};
inline std::vector<Packet> published;
inline std::vector<Packet> subscribed;  // payload: none
inline Packet will;
inline bool connected = false;
inline MQTTClientCallbackAdvanced callback = nullptr;
}  // namespace fake

class MQTTClient {
 public:
  explicit MQTTClient(int bufSize = 128) { (void)bufSize; }

  void begin(const char hostname[], int port, Client &client) {
    (void)hostname, (void)port, (void)client;
  }
  void onMessageAdvanced(MQTTClientCallbackAdvanced cb) { fake::callback = cb; }
  void setWill(const char topic[], const char payload[], bool retained, int qos) {
    fake::will = {topic, payload, retained, qos};
  }
  void setKeepAlive(int keepAlive) { (void)keepAlive; }
  void setTimeout(int timeout) { (void)timeout; }
  void dropOverflow(bool enabled) { (void)enabled; }

  bool connect(const char clientId[], const char username[], const char password[], bool skip = false) {
    (void)clientId, (void)username, (void)password, (void)skip;
    return fake::connected = true;
  }
  bool publish(const char topic[], const char payload[], int length, bool retained, int qos) {
    if (!fake::connected) return false;
    fake::published.push_back({topic, std::string(payload, (size_t)length), retained, qos});
    return true;
  }
  bool subscribe(const char topic[], int qos) {
    fake::subscribed.push_back({topic, "", false, qos});
    return fake::connected;
  }
  bool loop() { return fake::connected; }
  bool connected() { return fake::connected; }
};
