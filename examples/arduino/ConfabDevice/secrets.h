// What only this device knows. Do not commit it once it is filled in.
#pragma once

#define WIFI_NAME "…"
#define WIFI_PASSWORD "…"
#define CONFAB_HOST "192.168.1.10"
#define CONFAB_PORT 1883
// From the web client, or POST /v1/devices; the room is one that the device is a member of.
#define CONFAB_DEVICE "00000000-0000-7000-8000-000000000000"
#define CONFAB_USERNAME CONFAB_DEVICE  // another one after a rotation of the password
#define CONFAB_SECRET "…"
#define CONFAB_ROOM "00000000-0000-7000-8000-000000000000"
