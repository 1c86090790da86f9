import { assert, assertEquals } from "@std/assert";
import type { Locator } from "playwright-core";
import type { Person } from "./person.ts";

/** What the owner of a device does with it in its panel, which is open, and what others see. */
export interface DeviceControls {
  owner: Person;
  /** A member of the room without rights over the device; has its panel open, too. */
  other: Person;
  /** One request to the server as the owner. */
  ask(method: string, path: string, body: unknown): Promise<unknown>;
}

/** Fills in the fields of the open dialog by their labels, and sends it. */
async function fillIn(
  { page }: Person,
  values: Record<string, string>,
  submit: string,
): Promise<void> {
  const dialog = page.getByRole("dialog");
  for (const [label, value] of Object.entries(values)) {
    const field = dialog.getByLabel(label);
    const choice = await field.evaluate((each) => each.localName) === "select";
    if (choice) await field.selectOption(value);
    else await field.fill(value);
  }
  await page.getByTestId(submit).click();
}

/** Waits until a field of the open dialog is said to be wrong, with its code. */
async function refused({ page }: Person, name: string): Promise<void> {
  await page.locator(`[data-problem=${name}] code`)
    .filter({ hasText: "invalid_request" }).waitFor();
}

const gone = (locator: Locator) => locator.waitFor({ state: "detached" });
const dialogOf = ({ page }: Person) => page.getByRole("dialog");

/** Looks again what others have changed, as when one comes back to the page. */
export async function lookAgain({ page }: Person): Promise<void> {
  await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
}

/** Commands: a refused one stays as it was typed; what the owner says, the others get. */
export async function defineCommands(
  { owner, other }: DeviceControls,
): Promise<void> {
  const { page } = owner;
  await page.getByTestId("add-command").click();
  await fillIn(owner, {
    "Name": "Flush!",
    "Arguments": "litres: up to 40",
    "Who may send it": "admin",
    "Seconds it may take": "90",
  }, "save-definition");
  await refused(owner, "name");
  assertEquals(
    await dialogOf(owner).getByLabel("Arguments").inputValue(),
    "litres: up to 40",
  );
  await dialogOf(owner).getByLabel("Dangerous").check();
  await fillIn(owner, { "Name": "flush" }, "save-definition");
  await gone(dialogOf(owner));
  await page.locator("[data-testid=device-command][data-name=flush]").waitFor();
  await page.getByTestId("change-command").click();
  await fillIn(owner, { "What it does": "Rinses the line" }, "save-definition");
  await lookAgain(other);
  const shown = other.page.locator(
    "[data-testid=device-command][data-name=flush]",
  );
  await shown.filter({ hasText: "Rinses the line" }).waitFor();
  assert(await shown.getByTestId("send-command").isDisabled(), "for admins");
  for (
    const control of [
      "add-command",
      "change-command",
      "add-rule",
      "device-settings",
    ]
  ) {
    assertEquals(await other.page.getByTestId(control).isVisible(), false);
  }
  await page.getByTestId("delete-command").click();
  await page.getByTestId("confirm").click();
  await page.getByText("It takes no commands.").waitFor();
  await page.getByTestId("any-commands").click();
  await page.getByTestId("confirm").click();
  await page.getByTestId("any-command").waitFor();
}

/** Rules: added, changed, and deleted; one that somebody else adds stays. */
export async function makeRules(
  controls: DeviceControls,
  rules: string,
): Promise<void> {
  const { owner, other } = controls;
  const { page } = owner;
  const rows = page.getByTestId("rule");
  await page.getByTestId("add-rule").dblclick(); // opens one dialog all the same
  await fillIn(
    owner,
    { "Metric": "bar", "Value": "very much" },
    "save-rule",
  );
  await refused(owner, "threshold");
  await fillIn(owner, {
    "Value": "6.5",
    "Again after it was back by": "0.5",
    "Unit": "bar",
  }, "save-rule");
  await rows.filter({ hasText: "bar above 6.5 bar, again after 6 bar" })
    .waitFor();
  const added = { id: "gone", metric: "bar", kind: "silence", seconds: 300 };
  const first = { id: "bar-above", metric: "bar", kind: "above", threshold: 7 };
  await controls.ask("PUT", rules, { rules: [first, added] });
  await page.getByTestId("change-rule").first().click();
  await fillIn(owner, { "A message comes when": "digest" }, "save-rule");
  await refused(owner, "seconds");
  await fillIn(owner, { "Seconds": "3600" }, "save-rule");
  await rows.filter({ hasText: "bar as a digest every 1 h" }).waitFor();
  await rows.filter({ hasText: "bar silent for 5 min" }).waitFor();
  await lookAgain(other);
  await other.page.getByTestId("rule").nth(1).waitFor();
  await page.getByTestId("delete-rule").first().click();
  await page.getByTestId("confirm").click();
  await gone(rows.nth(1));
}

/** The interval in which it is expected, and the schema of its data. */
export async function sayWhatItSends({ owner }: DeviceControls): Promise<void> {
  const { page } = owner;
  const seconds = page.getByTestId("expected-seconds");
  await seconds.fill("5");
  await page.getByTestId("save-expectation").click();
  await refused(owner, "expectedSeconds");
  assertEquals(await seconds.inputValue(), "5");
  await seconds.fill("60");
  await seconds.press("Enter");
  await page.locator(".notice", { hasText: "is expected every 60 s" })
    .waitFor();

  await page.getByTestId("edit-schema").dblclick();
  const typed = '{"type":"object","pattern":"x"}';
  await fillIn(owner, { "JSON Schema": typed }, "save-schema");
  await refused(owner, "schema");
  assertEquals(await page.getByTestId("schema-json").inputValue(), typed);
  await fillIn(owner, { "JSON Schema": '{"type":"object"}' }, "save-schema");
  await gone(dialogOf(owner));
  await page.getByTestId("edit-schema").click();
  await fillIn(owner, { "JSON Schema": "" }, "save-schema");
  await gone(dialogOf(owner));
}

/** Two passwords for a while, no access for a while, and the end. */
export async function endIt({ owner, other }: DeviceControls): Promise<void> {
  const { page } = owner;
  await page.getByTestId("new-secret").click();
  await page.getByTestId("rotate").click();
  const publish = await page.getByTestId("device-publish").innerText();
  assert(/ -u [\w-]+\.2 /.test(publish), publish);
  await page.getByTestId("close-dialog").click();
  await page.getByTestId("end-former").click();
  await gone(page.getByTestId("end-former"));
  await page.getByTestId("disable-device").click();
  await page.getByTestId("confirm").click();
  await page.getByTestId("enable-device").click();
  await page.getByTestId("disable-device").waitFor();
  await page.getByTestId("delete-device").click();
  await page.getByTestId("confirm").click();
  for (const person of [owner, other]) {
    await person.page.getByTestId("device-panel").waitFor({ state: "hidden" });
  }
}
