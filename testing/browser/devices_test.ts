/**
 * Two people in two browsers work with a device of Mosquitto's own tools: its state, its readings,
 * its commands, and a second one that shows a code.
 */
import { assert, assertEquals } from "@std/assert";
import { Device } from "./device.ts";
import {
  defineCommands,
  endIt,
  lookAgain,
  makeRules,
  sayWhatItSends,
} from "./device_controls.ts";
import { launch, Person } from "./person.ts";
import { Server } from "./server.ts";

const DESKTOP = { width: 1280, height: 800 };

/** One request as the person whom the page has signed in. */
async function ask(
  person: Person,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const session = "JSON.parse(localStorage['confab.session']).accessToken";
  const token = await person.page.evaluate(session);
  const response = await fetch(new URL(path, person.page.url()), {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  assert(response.ok, `${method} ${path}: ${text}`);
  return text === "" ? {} : JSON.parse(text);
}

/** Opens the panel of a device. */
async function openDevice(person: Person, name: string): Promise<void> {
  if (await person.page.getByTestId("device-panel").isVisible()) return;
  await person.showMembers();
  await person.page.getByTestId("member").filter({ hasText: name })
    .getByTestId("open-device").click();
  await person.page.getByTestId("device-panel").waitFor();
}

/** Writes a desired state, or a patch of it, into the editor of the open panel. */
async function wish(
  person: Person,
  desired: unknown,
  { patch = false } = {},
): Promise<void> {
  const { page } = person;
  if (!await page.getByTestId("desired-json").isVisible()) {
    await page.getByTestId("edit-desired").click();
  }
  await page.getByTestId("desired-patch").setChecked(patch);
  await page.getByTestId("desired-json").fill(JSON.stringify(desired));
}

/** The device's part of a command: hears it, and answers. */
async function obey(
  device: Device,
  name: string,
  ok: boolean,
  text: string,
): Promise<void> {
  const line = await device.hears(`"name":"${name}"`, "/commands {");
  const { commandId } = JSON.parse(line.slice(line.indexOf("{")));
  await device.publishOn("replies", { commandId, ok, text });
}

Deno.test({
  name: "two people invite, watch, set and command devices",
  // The browser's driver keeps handles of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const server = await Server.start();
    const browser = await launch();
    let device: Device | undefined;
    try {
      const ann = await Person.signUp(browser, server.url, "ann", DESKTOP);
      const bob = await Person.signUp(browser, server.url, "bob", DESKTOP);
      const room = "Boiler house";
      let pump = "";

      await t.step(
        "credentials are shown as text and as a QR code",
        async () => {
          await ann.page.getByTestId("new-room").click();
          await ann.page.getByTestId("room-name").fill(room);
          await ann.page.getByTestId("create-room").click();
          await ann.showMembers();
          await ann.page.getByTestId("invite").click();
          await ann.page.getByTestId("people-query").fill("bob");
          await ann.page.getByTestId("person").first().click();
          await ann.page.getByTestId("close-dialog").click();
          await ann.page.getByTestId("add-device").click();
          await ann.page.getByTestId("device-name").fill("Pump 1");
          await ann.page.getByTestId("create-device").click();
          const publish = await ann.page.getByTestId("device-publish")
            .innerText();
          const subscribe = await ann.page.getByTestId("device-subscribe")
            .innerText();
          await ann.page.getByTestId("show-qr").locator("summary").click();
          await ann.page.getByTestId("device-qr").waitFor();
          const access = JSON.parse(
            await ann.page.getByTestId("device-access").innerText(),
          );
          assertEquals(Object.keys(access), [
            "url",
            "clientId",
            "username",
            "password",
            "prefix",
          ]);
          assert(publish.includes(access.password));
          pump = access.clientId;
          await ann.page.getByTestId("close-dialog").click();
          device = new Device(publish, subscribe);
          await device.listen();
        },
      );

      await t.step(
        "its birth, its state and its readings are shown",
        async () => {
          await ann.seesMember("Pump 1", "offline");
          await device!.publishOn("status", { online: true, session: 1 });
          await ann.seesMember("Pump 1", "online");
          await device!.publishOn("reported", { speed: 2, on: true });
          await device!.publishOn("telemetry", { rpm: 1400, mode: "eco" });
          await openDevice(ann, "Pump 1");
          const panel = ann.page.getByTestId("device-panel");
          await panel.getByTestId("presence-words").filter({
            hasText: "Online",
          })
            .waitFor();
          await panel.locator("[data-field=speed]").filter({ hasText: "2" })
            .waitFor();
          const rpm = panel.locator("[data-metric=rpm]");
          await rpm.getByTestId("metric-value").filter({ hasText: "1,400" })
            .waitFor();
          await panel.locator("[data-metric=mode]").filter({ hasText: "eco" })
            .waitFor();
          // Live values come with the signal, at most once a second.
          for (const value of [1500, 1600]) {
            await device!.publishOn("telemetry", { rpm: value });
            const shown = value.toLocaleString("en-US");
            await rpm.getByTestId("metric-value").filter({ hasText: shown })
              .waitFor();
          }
          await rpm.locator("[data-testid=sparkline] path[d^=M]").waitFor();
          assertEquals(
            await panel.locator("[data-metric=mode] [data-testid=sparkline]")
              .count(),
            0,
          );
        },
      );

      await t.step(
        "a desired state is set, and another's change is not overwritten",
        async () => {
          await bob.page.reload();
          await bob.page.getByTestId("room").filter({ hasText: room }).click();
          await openDevice(bob, "Pump 1");
          await wish(ann, { speed: 3 });
          await wish(bob, { speed: 4 }, { patch: true });
          await bob.page.getByTestId("save-desired").click();
          const differing = ann.page.locator("[data-field=speed].differs");
          await differing.filter({ hasText: "4" }).waitFor();
          await ann.page.getByTestId("save-desired").click();
          await ann.page.getByTestId("state-problem").filter({ hasText: "bob" })
            .waitFor();
          await ann.page.getByTestId("state-conflict").filter({ hasText: "4" })
            .waitFor();
          await ann.page.getByTestId("save-desired").click();
          await ann.page.getByTestId("desired-json").waitFor({
            state: "detached",
          });
          await device!.hears('"desired":{"speed":3}', "/desired {");
          await device!.publishOn("reported", { speed: 3, on: true });
          await differing.waitFor({ state: "detached" });
          await bob.page.locator("[data-field=speed]:not(.differs)").waitFor();
        },
      );

      await t.step(
        "who wished what stands in the conversation, also after a reload",
        async () => {
          const lines = ann.page.getByTestId("entry-line");
          await lines.filter({ hasText: "bob set Pump 1 to speed 4" })
            .waitFor();
          await lines.filter({ hasText: "ann set Pump 1 to speed 3" })
            .waitFor();
          await ann.say("Three it is");
          await ann.sees("Three it is");
          await ann.page.reload();
          await ann.sees("Three it is");
          await lines.filter({ hasText: "bob set Pump 1 to speed 4" })
            .waitFor();
          assertEquals(await lines.count(), 2);
        },
      );

      await t.step("a typed command is sent, and answered", async () => {
        await ask(ann, "PUT", `/v1/devices/${pump}/commands`, {
          commands: [
            {
              name: "start",
              description: "Run",
              // Also called like what its form could do itself.
              args: { speed: "1 to 5", append: "", pressure: "bar" },
            },
            { name: "explode", dangerous: true },
          ],
        });
        const composer = ann.page.getByTestId("composer");
        await composer.fill("/cmd pu");
        await ann.page.getByTestId("completion").first().waitFor();
        await composer.press("Tab");
        await composer.pressSequentially("sta");
        await ann.page.getByTestId("completion").filter({ hasText: "start" })
          .waitFor();
        await composer.press("Tab");
        await composer.pressSequentially("speed=3");
        assertEquals(
          await composer.inputValue(),
          "/cmd Pump 1 start speed=3",
        );
        await composer.press("Enter");
        for (const person of [ann, bob]) {
          await person.page.locator("[data-testid=command][data-status=queued]")
            .waitFor();
        }
        await obey(device!, "start", true, "Running at 3");
        for (const person of [ann, bob]) {
          const done = person.page.locator(
            "[data-testid=command][data-status=done]",
          );
          await done.filter({ hasText: "start" }).waitFor();
          await done.getByTestId("command-args").filter({ hasText: "speed 3" })
            .waitFor();
          await done.getByTestId("command-answer").filter({
            hasText: "Running at 3",
          })
            .waitFor();
          assertEquals(await person.message("Running at 3").count(), 1);
        }
      });

      await t.step(
        "a line that cannot be sent says why, and stays",
        async () => {
          const composer = ann.page.getByTestId("composer");
          const problem = ann.page.getByTestId("composer-problem");
          await composer.fill("/cmd Pump 7 start");
          await composer.press("Enter");
          await problem.filter({ hasText: "No device here is called" })
            .waitFor();
          assertEquals(await composer.inputValue(), "/cmd Pump 7 start");
          await composer.fill("/cmd Pump 1 dance");
          await composer.press("Enter");
          await problem.filter({ hasText: 'Pump 1 does not know "dance"' })
            .waitFor();
          await composer.fill("");
          assertEquals(await problem.innerText(), "");
        },
      );

      await t.step("what is dangerous is confirmed first", async () => {
        await ann.page.getByTestId("command").first().getByRole("button", {
          name: "Pump 1",
        })
          .click();
        const command = ann.page.locator(
          "[data-testid=device-command][data-name=explode]",
        );
        await command.getByTestId("send-command").click();
        assertEquals(
          await ann.page.getByTestId("command").count(),
          1,
          "nothing is sent before",
        );
        await ann.page.getByTestId("confirm").click();
        await obey(device!, "explode", false, "No, thank you");
        const failed = bob.page.locator(
          "[data-testid=command][data-status=failed]",
        );
        await failed.filter({ hasText: "No, thank you" }).waitFor();
      });

      await t.step("a device that shows a code is taken in", async () => {
        const claim = await ask(ann, "POST", "/v1/device-claims", {
          name: "Valve",
        });
        await ann.showMembers();
        assertEquals(
          await ann.page.getByTestId("device-panel").isVisible(),
          false,
        );
        await ann.page.getByTestId("add-device").click();
        await ann.page.getByTestId("claim-device").click();
        await ann.page.getByTestId("claim-code").fill("BBBB-BBBB");
        await ann.page.getByTestId("claim-submit").click();
        await ann.page.getByTestId("claim-problem").filter({
          hasText: "No device",
        })
          .waitFor();
        const code = String(claim.userCode);
        await ann.page.getByTestId("claim-code").fill(code.toLowerCase());
        await ann.page.getByTestId("claim-name").fill("Valve 1");
        await ann.page.getByTestId("claim-submit").click();
        await ann.seesMember("Valve 1", "offline");
        const { device } = await ask(ann, "POST", "/v1/device-claims/token", {
          deviceCode: claim.deviceCode,
        }) as { device: { name: string } };
        assertEquals(device.name, "Valve 1");
      });

      await t.step(
        "its owner says what it takes and sends, and ends it",
        async () => {
          for (const person of [ann, bob]) {
            const panel = person.page.getByTestId("device-panel");
            if (await panel.isVisible()) {
              await person.page.getByTestId("close-device").click();
            }
            await openDevice(person, "Valve 1");
          }
          const { page } = ann;
          const id = await page.getByTestId("device-panel").getAttribute(
            "data-device",
          );
          const { items } = await ask(ann, "GET", "/v1/rooms");
          const [{ id: roomId }] = items as [{ id: string }];
          const controls = {
            owner: ann,
            other: bob,
            ask: (method: string, path: string, body: unknown) =>
              ask(ann, method, path, body),
          };
          await defineCommands(controls);
          await makeRules(controls, `/v1/rooms/${roomId}/devices/${id}/rules`);
          await sayWhatItSends(controls);
          await endIt(controls);
        },
      );

      await t.step("readings that are not stored are counted", async () => {
        const metrics = Array.from(
          { length: 64 },
          (_, i) => [`m${i}`, i] as const,
        );
        // With the two that are there already it would be 66, and 64 are allowed.
        await device!.publishOn("telemetry", Object.fromEntries(metrics));
        await openDevice(ann, "Pump 1");
        const dropped = ann.page.getByTestId("dropped").filter({
          hasText: /^64 readings/,
        });
        // The counter is read now and then only.
        for (let tries = 0; !await dropped.isVisible(); tries++) {
          assert(tries < 60);
          await lookAgain(ann);
          await dropped.waitFor({ timeout: 500 }).catch(() => {});
        }
      });

      await t.step("a link from a QR code asks for the code", async () => {
        await bob.page.goto(`${server.url}#claim=WDJB-MJHT`);
        assertEquals(
          await bob.page.getByTestId("claim-code").inputValue(),
          "WDJB-MJHT",
        );
        await bob.page.getByTestId("close-dialog").click();
      });

      await t.step("the panel fits a phone, nothing complained", async () => {
        await bob.page.getByTestId("room").filter({ hasText: room }).click();
        await bob.page.setViewportSize({ width: 360, height: 640 });
        await openDevice(bob, "Pump 1");
        await bob.page.locator("[data-metric=rpm]").waitFor();
        const wide = await bob.page.evaluate(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        assertEquals(wide, 0);
        assertEquals([...ann.complaints, ...bob.complaints], []);
      });
    } finally {
      await device?.stop();
      await browser.close();
      const code = await server.stop();
      if (code !== undefined) assertEquals(code, 0);
    }
  },
});
