/**
 * The demo in a browser: thirty devices in one room, live. With SCREENSHOTS=1 it runs until there is
 * something to see, and writes the README's pictures.
 */
import { assertEquals } from "@std/assert";
import { launch, Person } from "./person.ts";
import { Demo } from "./plant.ts";

const IMAGES = new URL("../../docs/images/", import.meta.url).pathname;
const SIZE = { width: 1280, height: 800 };
const PICTURES = Deno.env.get("SCREENSHOTS") === "1";

async function picture({ page }: Person, name: string): Promise<void> {
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${IMAGES}${name}.png` });
}

Deno.test({
  name: "the demo's plant is watched and commanded in the browser",
  // The browser's driver keeps handles of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const demo = await Demo.start();
    const browser = await launch();
    try {
      const access = await demo.access();
      const ada = await Person.logIn(browser, access, SIZE);
      const { page } = ada;

      await t.step("all devices are members, with dots", async () => {
        await ada.showMembers();
        const devices = page.locator("[data-testid=member][data-kind=device]");
        await devices.nth(29).waitFor();
        assertEquals(await devices.count(), 30);
        await ada.seesMember("Tank 1", "online");
        await ada.seesMember("Grace", "online");
      });

      await t.step("what a device measures moves", async () => {
        await page.getByTestId("member").filter({ hasText: "Power meter" })
          .getByTestId("open-device").click();
        const value = page.locator("[data-metric=kilowatts]")
          .getByTestId("metric-value");
        await value.waitFor();
        const first = await value.innerText();
        await value.filter({ hasNotText: first }).waitFor();
        await page.locator("[data-testid=sparkline] path[d^=M]").waitFor();
        await page.getByTestId("close-device").click();
      });

      await t.step("a device obeys", async () => {
        await ada.say("/cmd Tank 3 measure");
        await page.getByTestId("command-answer").filter({
          hasText: /^\d+ of 700 litres$/,
        }).waitFor();
      });

      await t.step({
        name: "pictures",
        ignore: !PICTURES,
        async fn() {
          const open = (name: string) =>
            page.getByTestId("member").filter({ hasText: name })
              .getByTestId("open-device").click();
          await page.getByTestId("entry-line").filter({
            hasText: "Grace set Valve 6",
          }).waitFor({ timeout: 120_000 });
          await open("Valve 6");
          await page.locator("[data-field=opening].differs").waitFor();
          await page.locator("[data-metric=position] path[d^=M]").waitFor();
          await picture(ada, "plant");
          await page.getByTestId("close-device").click();
          await page.emulateMedia({ colorScheme: "dark" });
          await open("Pump 6");
          await page.locator("[data-metric=rpm] path[d^=M]").waitFor();
          await page.locator("[data-name=emergency-stop]").waitFor();
          await picture(ada, "plant-dark");
        },
      });

      assertEquals(ada.complaints, []);
    } finally {
      await browser.close();
      assertEquals(await demo.stop(), 0);
    }
  },
});
