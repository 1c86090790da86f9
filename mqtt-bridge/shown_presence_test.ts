import { assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { ShownPresence } from "./shown_presence.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A device with a grace of 10 s and damping of 30 s, on a clock that stands still. */
function shownDevice() {
  const device = newId();
  const open = new Set<string>();
  const changed: string[] = [];
  let now = 0;
  let stays = 0;
  /** When its coming and going could be seen, in seconds. */
  const seen: string[] = [];
  let goneAt: number | undefined;
  let there = false;
  const look = () => {
    if (open.size > 0) {
      goneAt = undefined;
      if (!there) seen.push(`${now / 1000} online`);
      there = true;
    } else if (there) {
      goneAt ??= now + 10_000;
      if (now < goneAt) return;
      seen.push(`${goneAt / 1000} offline`);
      goneAt = undefined;
      there = false;
    }
  };
  const shown = new ShownPresence({
    stays: { open: (_, stay) => open.add(stay), close: (stay) => open.delete(stay) },
    graceMs: 10_000,
    dampMs: 30_000,
    changed: (devices) => changed.push(...devices),
    now: () => now,
  });
  const say = (stay: string | undefined, unstable: boolean) => {
    shown.show(device, { stay, unstableMs: unstable ? 120_000 : 0, member: device });
    look();
  };
  return {
    ...{ device, open, changed, seen, shown },
    birth: (unstable = false) => say(`stay ${++stays}`, unstable),
    will: (unstable = false) => say(undefined, unstable),
    pass(seconds: number) {
      for (let i = 0; i < seconds; i++) {
        now += 1_000;
        shown.tick();
        look();
      }
    },
  };
}

Deno.test("a stable device is shown at once, and gone after the grace", strict, () => {
  const s = shownDevice();
  for (let i = 0; i < 3; i++) {
    s.birth();
    s.pass(5);
    s.will();
    s.pass(15);
  }
  const expected = ["0 online", "15 offline", "20 online", "35 offline", "40 online", "55 offline"];
  assertEquals(s.seen, expected);
  assertEquals([s.shown.size, s.open.size], [1, 0]);
  s.pass(40);
  assertEquals(s.shown.size, 0, "it is forgotten");
});

Deno.test("a session that follows another closes it, and nobody sees it", strict, () => {
  const s = shownDevice();
  s.birth();
  s.birth();
  assertEquals([...s.open], ["stay 2"]);
  s.will();
  s.pass(9);
  s.birth();
  s.pass(60);
  assertEquals([[...s.open], s.seen], [["stay 3"], ["0 online"]]);
});

Deno.test("an unstable device is seen to change once in 30 s, and as it is then", strict, () => {
  const s = shownDevice();
  s.birth(true);
  assertEquals(s.changed.length, 1);
  for (let i = 0; i < 20; i++) {
    s.pass(11);
    s.will(true);
    s.pass(11);
    s.birth(true);
  }
  const times = s.seen.map((one) => Number(one.split(" ")[0]));
  times.slice(1).forEach((at, i) => assertEquals(at - times[i]! >= 30, true, s.seen.join(", ")));
  assertEquals(times.length > 5, true, s.seen.join(", "));
  assertEquals(
    s.seen.map((one) => one.split(" ")[1]).every((state, i) =>
      state === (i % 2 === 0 ? "online" : "offline")
    ),
    true,
  );
  s.will(true);
  s.pass(100);
  assertEquals([s.seen.at(-1)!.split(" ")[1], s.open.size], ["offline", 0]);
  assertEquals([s.changed.length, s.shown.size], [1, 1]);
  s.pass(30);
  assertEquals([s.changed.length, s.shown.size], [2, 0], "it is stable, and told to be");
});

Deno.test("an unstable device that is back within the grace was never gone", strict, () => {
  const s = shownDevice();
  s.birth();
  s.pass(100);
  for (let i = 0; i < 5; i++) {
    s.will(true);
    s.pass(3);
    s.birth(true);
    s.pass(3);
  }
  assertEquals(s.seen, ["0 online"]);
  s.will(true);
  s.pass(11);
  assertEquals(s.seen.length, 2, "its last change was long ago");
});

Deno.test("that a device has become stable by itself is told once", strict, () => {
  const s = shownDevice();
  s.birth(true);
  s.pass(60);
  s.birth(true);
  s.pass(119);
  assertEquals(s.changed, [s.device], "it came again");
  s.pass(3);
  assertEquals(s.changed, [s.device, s.device]);
  s.pass(200);
  assertEquals([s.changed.length, s.seen], [2, ["0 online"]]);
  s.will();
  s.pass(11);
  assertEquals(s.seen, ["0 online", "392 offline"], "nothing is damped any more");
  s.pass(40);
  assertEquals(s.shown.size, 0);
});
