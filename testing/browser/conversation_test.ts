/**
 * Two people in two browsers and a device with Mosquitto's own tools hold a conversation, through
 * a reload and a kill -9 of the server. Writes the README's screenshots when SCREENSHOTS=1.
 */
import { assert, assertEquals } from "@std/assert";
import { Device } from "./device.ts";
import { launch, Person } from "./person.ts";
import { Server } from "./server.ts";

const IMAGES = new URL("../../docs/images/", import.meta.url).pathname;
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

async function picture(person: Person, name: string): Promise<void> {
  if (Deno.env.get("SCREENSHOTS") !== "1") return;
  await Deno.mkdir(IMAGES, { recursive: true });
  await person.page.mouse.move(0, 0);
  await person.page.screenshot({ path: `${IMAGES}${name}.png` });
}

Deno.test({
  name: "two people and a device hold a conversation that survives a kill -9",
  // The browser's driver keeps handles of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const server = await Server.start();
    const browser = await launch();
    let device: Device | undefined;
    try {
      const ann = await Person.signUp(browser, server.url, "ann", DESKTOP);
      const bob = await Person.signUp(browser, server.url, "bob", PHONE);

      await t.step(
        "a room is made, and somebody is invited by name",
        async () => {
          await ann.page.getByTestId("new-room").click();
          await ann.page.getByTestId("room-name").fill("Greenhouse");
          await ann.page.getByTestId("room-topic").fill(
            "Pumps, vents and tomatoes",
          );
          await ann.page.getByTestId("create-room").click();
          await ann.page.getByTestId("composer").waitFor();
          await ann.say("Good morning!");
          await ann.sees("Good morning!");
          await ann.showMembers();
          await ann.page.getByTestId("invite").click();
          await ann.page.getByTestId("people-query").fill("bob");
          await ann.page.getByTestId("person").first().click();
          await ann.page.getByTestId("close-dialog").click();
        },
      );

      await t.step(
        "a device is added, and its ready-made commands work",
        async () => {
          await ann.showMembers();
          await ann.page.getByTestId("add-device").click();
          await ann.page.getByTestId("device-name").fill("Pump 1");
          await ann.page.getByTestId("create-device").click();
          const publish = await ann.page.getByTestId("device-publish")
            .innerText();
          const subscribe = await ann.page.getByTestId("device-subscribe")
            .innerText();
          await ann.page.getByTestId("close-dialog").click();
          device = new Device(publish, subscribe);
          await device.listen();
          await ann.page.locator("[data-testid=member][data-kind=device]")
            .waitFor();
        },
      );

      await t.step("everybody sees what everybody says", async () => {
        await bob.page.reload();
        await bob.page.getByTestId("room").filter({ hasText: "Greenhouse" })
          .click();
        await bob.sees("Good morning!");
        await bob.say("Hello from my phone");
        await ann.sees("Hello from my phone");
        await device!.publish("Running at 1450 rpm");
        await device!.publish('{"data":{"temperature":21.4,"humidity":63}}');
        for (const person of [ann, bob]) {
          await person.sees("Running at 1450 rpm");
          const row = person.page.locator(
            "[data-testid=message][data-kind=device]",
          );
          assert(await row.count() >= 1);
          await person.page.getByTestId("message-data").first().waitFor();
        }
        await device!.hears("Hello from my phone");
      });

      await t.step(
        "a device's picture is a link, and nothing loads",
        async () => {
          const asked: string[] = [];
          bob.page.on("request", (request) => asked.push(request.url()));
          const url = "https://files.example/gate/17.jpg";
          const attachments = [{ url, name: "Gate.jpg", type: "image/jpeg" }];
          await device!.publish(JSON.stringify({ attachments }));
          await bob.sees("Gate.jpg");
          const link = bob.page.getByTestId("attachments").getByRole("link");
          assertEquals(await link.getAttribute("href"), url);
          const rel = await link.getAttribute("rel");
          assertEquals(rel, "noopener noreferrer nofollow");
          await bob.say("Is that our gate?");
          await bob.sees("Is that our gate?");
          assertEquals(
            asked.filter((one) => one.includes("files.example")),
            [],
          );
        },
      );

      await t.step("everybody has a dot that says who is online", async () => {
        await ann.showMembers();
        for (const name of ["ann", "bob"]) await ann.seesMember(name, "online");
        // It sends, but it has never said that it is there.
        await ann.seesMember("Pump 1", "offline");
      });

      await t.step("an edit and a delete reach everybody", async () => {
        await ann.say("The vent is oppen");
        await bob.sees("The vent is oppen");
        await ann.page.keyboard.press("ArrowUp");
        await ann.page.getByTestId("editing").waitFor();
        await ann.page.getByTestId("composer").fill("The vent is open");
        await ann.page.keyboard.press("Enter");
        await bob.sees("The vent is open");
        await bob.misses("The vent is oppen");
        await device!.hears("The vent is open");
        await bob.page.getByTestId("edited").first().waitFor();
        await ann.say("wrong room, sorry");
        await bob.sees("wrong room, sorry");
        const row = ann.message("wrong room, sorry");
        await row.hover();
        await row.getByTestId("delete-message").click();
        await ann.page.getByTestId("confirm").click();
        await bob.misses("wrong room, sorry");
        await ann.misses("wrong room, sorry");
      });

      await t.step("typing is shown to the others", async () => {
        await bob.page.getByTestId("composer").pressSequentially(
          "Let me have a loo",
        );
        await ann.page.getByTestId("typing").filter({ hasText: "bob" })
          .waitFor();
        await picture(ann, "conversation");
        await picture(bob, "phone");
        await bob.page.getByTestId("composer").fill("");
      });

      await t.step("a reload goes on where it was", async () => {
        await ann.page.reload();
        await ann.sees("Hello from my phone");
        await ann.sees("The vent is open");
        await bob.say("Still here?");
        await ann.sees("Still here?");
      });

      await t.step(
        "a kill -9 loses nothing that was acknowledged",
        async () => {
          const stored = await device!.publishWithReceipt(
            "Before the power cut",
          );
          assertEquals(stored.duplicate, false);
          await server.kill();
          await ann.page.locator("html:not([data-state=connected])").waitFor();
          await ann.say("Written while the server was down");
          await ann.message("Written while the server was down")
            .and(ann.page.locator("[data-state=pending]")).waitFor();
          await server.run();
          await ann.sees("Written while the server was down");
          await bob.sees("Written while the server was down");
          await bob.sees("Before the power cut");
          await bob.sees("Hello from my phone");
          assertEquals(
            await bob.message("Written while the server was down").count(),
            1,
          );
          assertEquals(await bob.message("Before the power cut").count(), 1);
          await device!.hears("Written while the server was down");
          await device!.publish("Back again");
          await ann.sees("Back again");
        },
      );

      await t.step(
        "the page fits a small phone and did not complain",
        async () => {
          await bob.page.setViewportSize({ width: 360, height: 640 });
          const wide = await bob.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth",
          );
          assertEquals(wide, 0);
          assertEquals([...ann.complaints, ...bob.complaints], []);
        },
      );

      await t.step("who leaves is offline after a while", async () => {
        await ann.showMembers();
        await ann.seesMember("bob", "online");
        await bob.page.close();
        await ann.seesMember("bob", "offline");
      });
    } finally {
      await device?.stop();
      await browser.close();
      const code = await server.stop();
      if (code !== undefined) assertEquals(code, 0);
    }
  },
});
