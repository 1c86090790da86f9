import {
  type Browser,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Debian's Chromium, or the one that CHROMIUM names. */
export function launch(): Promise<Browser> {
  const executablePath = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: FLAGS });
}

/** Somebody with a browser of their own, and what they do with the page. */
export class Person {
  /** What the page complained about; connection failures are the test's doing. */
  readonly complaints: string[] = [];

  private constructor(readonly page: Page, readonly name: string) {}

  /** Opens the page in a new browser profile and signs up. */
  static async signUp(
    browser: Browser,
    url: string,
    name: string,
    viewport: { width: number; height: number },
  ): Promise<Person> {
    const person = await Person.#open(browser, url, name, viewport);
    const { page } = person;
    await page.getByRole("tab", { name: "Sign up" }).click();
    await page.getByLabel("Username").fill(name);
    await page.getByLabel("Password").fill("correct horse battery");
    await page.getByTestId("sign-in-submit").click();
    await page.getByTestId("new-room").waitFor();
    return person;
  }

  /** Opens a room in a new browser profile, with an account that is there. */
  static async logIn(
    browser: Browser,
    { url, username, password }: {
      url: string;
      username: string;
      password: string;
    },
    viewport: { width: number; height: number },
  ): Promise<Person> {
    const person = await Person.#open(browser, url, username, viewport);
    const { page } = person;
    await page.getByLabel("Username").fill(username);
    await page.getByLabel("Password").fill(password);
    await page.getByTestId("sign-in-submit").click();
    await page.getByTestId("composer").waitFor();
    return person;
  }

  static async #open(
    browser: Browser,
    url: string,
    name: string,
    viewport: { width: number; height: number },
  ): Promise<Person> {
    const context = await browser.newContext({
      viewport,
      reducedMotion: "reduce",
    });
    const person = new Person(await context.newPage(), name);
    const { page } = person;
    page.on("pageerror", (error) => person.complaints.push(String(error)));
    page.on("console", (message) => {
      const text = message.text();
      if (
        message.type() === "error" &&
        !/ERR_CONNECTION|WebSocket|Failed to load/.test(text)
      ) {
        person.complaints.push(text);
      }
    });
    await page.goto(url);
    return person;
  }

  /** Writes into the open room, by keyboard alone. */
  async say(text: string): Promise<void> {
    await this.page.getByTestId("composer").focus();
    await this.page.keyboard.type(text);
    await this.page.keyboard.press("Enter");
  }

  /** The messages in the open room that show this text. */
  message(text: string): Locator {
    return this.page.getByRole("log").getByTestId("message").filter({
      hasText: text,
    });
  }

  /** Waits until the room shows this message, stored. */
  async sees(text: string): Promise<void> {
    await this.message(text).and(this.page.locator("[data-state=stored]"))
      .first().waitFor();
  }

  /** Waits until the room shows this text nowhere. */
  async misses(text: string): Promise<void> {
    await this.message(text).waitFor({ state: "detached" });
  }

  /** Waits until the dot of a member says this. */
  async seesMember(name: string, state: string): Promise<void> {
    await this.page.getByTestId("member").filter({ hasText: name })
      .locator(`[data-testid=presence][data-state=${state}]:visible`).waitFor();
  }

  /** Opens the members panel when it is closed. */
  async showMembers(): Promise<void> {
    const toggle = this.page.getByTestId("toggle-members");
    await toggle.waitFor();
    const panel = this.page.getByTestId("members");
    if (!await panel.isVisible()) await toggle.click();
    await panel.waitFor();
  }
}
