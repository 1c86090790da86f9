// A device on Confab, for ESP32: it sends a reading every ten seconds, repeats it until its receipt
// comes, and prints what others say in the room.
//
// Libraries: "MQTT" by Joël Gähwiler (2.5 or later) and "ArduinoJson" by Benoît Blanchon (7).
// PubSubClient would not do: it publishes with QoS 0 only.
//
// What waits for its receipt is in memory, so it is lost when the power is. Entries that came while
// the device was away are not asked for. The devices in Node and Python beside this do both.
#include <ArduinoJson.h>
#include <MQTT.h>
#include <Preferences.h>
#include <WiFi.h>

#include "secrets.h"

const char OWN[] = "confab/d/" CONFAB_DEVICE "/";
const unsigned long READING_MS = 10000;
const unsigned long REPEAT_MS = 5000;     // without a receipt, until it is published again
const unsigned long RECONNECT_MS = 5000;  // between two tries to connect
const int WAITING = 16;                   // messages without a receipt
const int BUFFER_BYTES = 4096;            // larger packets are dropped

struct Message {
  char key[24];        // empty: the place is free
  char payload[160];
  bool published;
  unsigned long publishedAt;
};

WiFiClient network;
MQTTClient mqtt(BUFFER_BYTES);
Preferences preferences;

Message outbox[WAITING];
int oldest = 0;  // of the messages that wait, and the place of the next one
int next = 0;
uint32_t boot = 0;
uint32_t counter = 0;
uint32_t session = 0;
unsigned long holdFrom = 0;
unsigned long holdMs = 0;
unsigned long readAt = 0;
unsigned long triedAt = 0;
char epoch[48] = "";
uint32_t lastSeq = 0;

// A number that this device has never used before: it is kept in flash. Erasing the flash loses it;
// make another device in Confab then, because keys would be used again.
uint32_t nextNumber() {
  uint32_t number = preferences.getUInt("number", 0) + 1;
  preferences.putUInt("number", number);
  return number;
}

void topicOf(char (&topic)[160], const char *name) {
  snprintf(topic, sizeof topic, "%s%s", OWN, name);
}

// True when nothing of this time is left; right also when millis() begins again at 0.
bool isOver(unsigned long from, unsigned long ms) { return millis() - from >= ms; }

// The message that waits under this key, or none.
Message *find(const char *key) {
  if (key == nullptr || key[0] == '\0') return nullptr;
  for (Message &message : outbox) {
    if (strcmp(message.key, key) == 0) return &message;
  }
  return nullptr;
}

// Puts a reading into the outbox; false when there is no space or the reading is too long.
bool add(float celsius) {
  Message &message = outbox[next];
  if (message.key[0] != '\0') return false;
  // A boot number and a counter: never the same twice, whatever happened before.
  char key[sizeof message.key];
  snprintf(key, sizeof key, "%lu-%lu", (unsigned long)boot, (unsigned long)++counter);
  JsonDocument json;
  json["clientId"] = key;
  json["data"]["celsius"] = celsius;
  if (measureJson(json) >= sizeof message.payload) return false;
  serializeJson(json, message.payload, sizeof message.payload);
  message.published = false;
  strcpy(message.key, key);
  next = (next + 1) % WAITING;
  return true;
}

// Stored, or refused for good.
void done(Message &message) {
  message.key[0] = '\0';
  while (outbox[oldest].key[0] == '\0') {
    oldest = (oldest + 1) % WAITING;
    if (oldest == next) return;
  }
}

void sendWhatIsDue() {
  if (!isOver(holdFrom, holdMs)) return;
  char topic[160];
  topicOf(topic, "rooms/" CONFAB_ROOM "/send");
  for (int i = 0; i < WAITING; i++) {
    Message &message = outbox[(oldest + i) % WAITING];
    if (message.key[0] == '\0') continue;
    if (message.published && !isOver(message.publishedAt, REPEAT_MS)) continue;
    message.published = true;
    message.publishedAt = millis();
    // QoS 1: it waits for the PUBACK, which proves nothing yet. Only the receipt does.
    if (!mqtt.publish(topic, message.payload, strlen(message.payload), false, 1)) return;
  }
}

void onReceipt(const JsonDocument &receipt) {
  Message *message = find(receipt["clientId"] | "");
  if (message == nullptr) return;  // the answer to a repeat
  Serial.printf("Stored as %lu: %s\n", (unsigned long)(receipt["seq"] | 0u), message->key);
  done(*message);
}

void onError(const JsonDocument &error) {
  const char *code = error["code"] | "";
  Message *message = find(error["clientId"] | "");
  Serial.printf("Refused: %s\n", code);
  if (message == nullptr) return;
  const bool passes = strcmp(code, "rate_limited") == 0 || strcmp(code, "overloaded") == 0 ||
                      strcmp(code, "internal") == 0;
  if (!passes) return done(*message);
  message->published = false;
  holdFrom = millis();
  holdMs = 1000UL * (error["retryAfter"] | 2u);
}

void onEntry(const JsonDocument &entry) {
  // Another epoch: a history in which our numbers mean nothing.
  const char *name = entry["epoch"] | "";
  if (strncmp(name, epoch, sizeof epoch - 1) != 0) {
    snprintf(epoch, sizeof epoch, "%s", name);
    lastSeq = 0;
  }
  const uint32_t seq = entry["seq"] | 0u;
  if (seq <= lastSeq) return;  // delivered again
  lastSeq = seq;
  const char *text = entry["event"]["message"]["text"] | "";
  if (text[0] != '\0') Serial.printf("%lu: %s\n", (unsigned long)seq, text);
}

// Called by the library while it reads, so nothing is published here.
void onMessage(MQTTClient *, char topic[], char bytes[], int length) {
  if (strncmp(topic, OWN, strlen(OWN)) != 0) return;
  const char *name = topic + strlen(OWN);
  JsonDocument json;
  if (deserializeJson(json, bytes, length)) return;
  if (strcmp(name, "receipts") == 0) onReceipt(json);
  else if (strcmp(name, "errors") == 0) onError(json);
  else onEntry(json);
}

void publishStatus() {
  char topic[160];
  char payload[64];
  topicOf(topic, "status");
  snprintf(payload, sizeof payload, "{\"online\":true,\"session\":%lu}", (unsigned long)session);
  mqtt.publish(topic, payload, strlen(payload), true, 1);
}

bool connect() {
  char topic[160];
  char will[64];
  // The number of the connection is in its birth and in its last will.
  session = nextNumber();
  topicOf(topic, "status");
  snprintf(will, sizeof will, "{\"online\":false,\"session\":%lu}", (unsigned long)session);
  mqtt.setWill(topic, will, true, 1);
  if (!mqtt.connect(CONFAB_DEVICE, CONFAB_USERNAME, CONFAB_SECRET)) return false;
  const char *names[] = {"receipts", "errors", "rooms/" CONFAB_ROOM "/events"};
  for (const char *name : names) {
    topicOf(topic, name);
    if (!mqtt.subscribe(topic, 1)) return false;
  }
  publishStatus();
  // What the old connection may have lost is due at once.
  for (Message &message : outbox) message.published = false;
  return true;
}

void setup() {
  Serial.begin(115200);
  preferences.begin("confab", false);
  boot = nextNumber();
  WiFi.mode(WIFI_STA);
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  mqtt.begin(CONFAB_HOST, CONFAB_PORT, network);
  mqtt.setKeepAlive(30);
  mqtt.setTimeout(5000);
  mqtt.dropOverflow(true);
  mqtt.onMessageAdvanced(onMessage);
  readAt = millis() - READING_MS;
  triedAt = millis() - RECONNECT_MS;
}

void loop() {
  if (isOver(readAt, READING_MS)) {
    readAt = millis();
    if (!add(temperatureRead())) Serial.println("The outbox is full: a reading is lost");
  }
  if (mqtt.connected()) {
    mqtt.loop();
    sendWhatIsDue();
  } else if (WiFi.status() == WL_CONNECTED && isOver(triedAt, RECONNECT_MS)) {
    triedAt = millis();
    if (!connect()) Serial.println("No connection");
  }
  delay(10);
}
