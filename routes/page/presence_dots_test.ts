import { assertEquals } from "@std/assert";
import { until } from "../../testing/until.ts";
import type { Room, RoomPresence } from "../../lib/client/mod.ts";
import { PresenceDots, presenceWords } from "./presence_dots.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** The dots of a live room of which the server says `presence`, and how often it was asked. */
function dotsOf(presence: RoomPresence) {
  const listeners = new Map<string, () => void>();
  const asked = { times: 0 };
  const room = {
    status: "live",
    on(event: string, listener: () => void) {
      listeners.set(event, listener);
      return () => listeners.delete(event);
    },
    presence() {
      asked.times++;
      return Promise.resolve(presence);
    },
  } as unknown as Room;
  const dots = new PresenceDots(room);
  dots.start({ querySelectorAll: () => [] } as unknown as Element);
  return { dots, asked, memberChanges: () => listeners.get("member")!() };
}

Deno.test("PresenceDots asks nothing when members change in a large room", strict, async () => {
  for (const state of ["off", "known"] as const) {
    const { dots, asked, memberChanges } = dotsOf({ state, items: [] });
    await Promise.resolve();
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve));
      memberChanges();
    }
    assertEquals([state, asked.times], [state, 1]);
    dots.stop();
  }
});

Deno.test("PresenceDots asks again when membership may have begun", strict, async () => {
  const { dots, asked, memberChanges } = dotsOf({ state: "unknown", items: [] });
  await until("it has asked", () => asked.times === 1);
  memberChanges();
  await until("it has asked again", () => asked.times === 2);
  await Promise.resolve();
  dots.stop();
  await Promise.resolve();
  dots.stop();
});

Deno.test("presence in words says when an offline device was last seen", strict, () => {
  const words = (rest: object) => presenceWords({ principal: "d", state: "offline", ...rest });
  assertEquals(words({}), "Offline");
  assertEquals(words({ state: "online" }), "Online");
  assertEquals(words({ unstable: true }), "Unstable: it comes and goes");
  assertEquals(
    words({ lastSeen: "2020-05-07T10:00:00.000Z" }).startsWith("Offline, last seen "),
    true,
  );
});
