// Runs the sketch on a computer, against a broker that is this file: see ../../README.md.
#include "../ConfabDevice/ConfabDevice.ino"

#include <set>

static int failures = 0;

static void expect(bool holds, const char *what) {
  printf("%s: %s\n", holds ? "ok" : "NOT OK", what);
  if (!holds) failures++;
}

// Lets the sketch run for so long, and answers with what it published to the room meanwhile.
static std::vector<fake::Packet> runFor(unsigned long ms) {
  fake::published.clear();
  for (const unsigned long end = fake::now + ms; fake::now < end;) loop();
  std::vector<fake::Packet> sends;
  for (const auto &packet : fake::published) {
    if (packet.topic == "confab/d/" CONFAB_DEVICE "/rooms/" CONFAB_ROOM "/send") sends.push_back(packet);
  }
  return sends;
}

static void hear(const char *name, const std::string &payload) {
  std::string topic = std::string("confab/d/" CONFAB_DEVICE "/") + name;
  std::string bytes = payload;
  fake::callback(nullptr, topic.data(), bytes.data(), (int)bytes.size());
}

static std::string keyOf(const fake::Packet &packet) {
  JsonDocument json;
  std::string bytes = packet.payload;
  return deserializeJson(json, bytes.data(), bytes.size()) ? "" : json["clientId"] | "";
}

static void receipt(const std::string &key) {
  hear("receipts", "{\"clientId\":\"" + key + "\",\"room\":\"r\",\"seq\":7,\"duplicate\":false}");
}

static fake::Packet birth() {
  for (const auto &packet : fake::published) {
    if (packet.topic == "confab/d/" CONFAB_DEVICE "/status") return packet;
  }
  return {};
}

int main() {
  setup();
  auto sends = runFor(1000);
  expect(fake::subscribed.size() == 3 && fake::subscribed[2].qos == 1, "it listens, with QoS 1");
  expect(birth().payload == "{\"online\":true,\"session\":2}" && birth().retained, "it is born");
  expect(fake::will.payload == "{\"online\":false,\"session\":2}" && fake::will.retained,
         "its last will has the number of its birth");
  expect(sends.size() == 1 && sends[0].qos == 1, "a reading is published with QoS 1");
  const std::string first = keyOf(sends.at(0));
  expect(first == "1-1", "its key is the boot number and a counter");

  sends = runFor(5000);
  expect(sends.size() == 1 && keyOf(sends[0]) == first, "without a receipt it is repeated");
  receipt(first);
  sends = runFor(20000);
  std::set<std::string> keys;
  for (const auto &packet : sends) keys.insert(keyOf(packet));
  expect(keys == std::set<std::string>{"1-2", "1-3"}, "after the receipt never again");

  hear("errors", "{\"code\":\"rate_limited\",\"message\":\"m\",\"retryAfter\":4,\"clientId\":\"1-2\"}");
  expect(runFor(3900).empty(), "it waits when it is told to");
  expect(!runFor(200).empty(), "and no longer");
  receipt("1-2");
  hear("errors", "{\"code\":\"read_only\",\"message\":\"m\",\"clientId\":\"1-3\"}");
  for (const auto &packet : runFor(8000)) keys.insert(keyOf(packet) == "1-3" ? "again" : "other");
  expect(keys.count("again") == 0, "what is refused for good is not repeated");
  for (const auto &message : outbox) receipt(std::string(message.key));

  runFor(10000);
  fake::connected = false;
  sends = runFor(1000);
  expect(birth().payload == "{\"online\":true,\"session\":3}", "another connection, a higher number");
  expect(!sends.empty(), "and what has no receipt is published at once");

  hear("rooms/" CONFAB_ROOM "/events", "{\"epoch\":\"e\",\"seq\":9,\"event\":{\"type\":\"x\"}}");
  hear("rooms/" CONFAB_ROOM "/events", "{\"epoch\":\"e\",\"seq\":8,\"event\":{\"type\":\"x\"}}");
  expect(lastSeq == 9, "an entry that comes again is ignored");
  hear("rooms/" CONFAB_ROOM "/events", "{\"epoch\":\"f\",\"seq\":3,\"event\":{\"type\":\"x\"}}");
  expect(lastSeq == 3, "unless the history is another");
  hear("receipts", "no JSON");

  runFor(300000);
  keys.clear();
  for (const auto &message : outbox) keys.insert(message.key);
  expect(keys.size() == WAITING && keys.count("") == 0, "a full outbox keeps what it has");
  const std::string kept = outbox[oldest].key;
  receipt(kept);
  runFor(10000);
  expect(find(kept.c_str()) == nullptr && find(outbox[oldest].key) != nullptr, "and goes on");

  setup();  // a restart: memory is new, the flash is not
  expect(boot > session, "the next boot number was never used before");
  return failures == 0 ? 0 : 1;
}
