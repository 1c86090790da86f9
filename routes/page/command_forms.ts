import type { CommandDefinition, Json, Metadata, RoomRole } from "../../lib/client/mod.ts";
import { parseCommandLine } from "../../lib/client/mod.ts";
import type { DevicePlace } from "./device_panel.ts";
import { element } from "./element.ts";
import { icon } from "./icon.ts";
import { iconButton } from "./icon_button.ts";
import { notice } from "./notice.ts";
import { sendCommand } from "./send_command.ts";
import { problemOf } from "./typed_commands.ts";

const RANKS: Record<RoomRole, number> = { owner: 3, admin: 2, member: 1, reader: 0 };

/** A command that a device takes, with a field for each argument; `may` is for its owner. */
export function commandItem(
  place: DevicePlace,
  definition: CommandDefinition,
  may: false | { ask(of: CommandDefinition): void; remove(of: CommandDefinition): void },
): HTMLElement {
  const { name, description, args = {}, dangerous = false, minRole = "member" } = definition;
  const role = place.room.role ?? "reader";
  // Without a name: a form's field called "append" would stand in the place of the form's method
  const inputs = Object.entries(args).map(([arg, placeholder]) =>
    [arg, element("input", { class: "input", placeholder, autocomplete: "off" })] as const
  );
  const form = element(
    "form",
    { class: "command-form" },
    element(
      "div",
      { class: "command-head" },
      element(
        "span",
        { class: "result-text" },
        element("strong", {}, name, dangerous && element("span", { class: "tag" }, "dangerous")),
        description !== undefined && element("span", { class: "muted" }, description),
      ),
      may && iconButton("edit", `Change ${name}`, "change-command", () => may.ask(definition)),
      may && iconButton("remove", `Delete ${name}`, "delete-command", () => may.remove(definition)),
      element("button", {
        class: dangerous ? "button button-small button-danger" : "button button-small",
        disabled: RANKS[role] < RANKS[minRole],
        title: RANKS[role] < RANKS[minRole] ? `For the role ${minRole}` : undefined,
        "data-testid": "send-command",
        "aria-label": `Send ${name}`,
      }, icon("send")),
    ),
    ...inputs.map(([arg, input]) =>
      element("label", { class: "command-arg" }, element("span", {}, arg), input)
    ),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    const typed = inputs.map(([arg, input]) => [arg, input.value.trim()] as const);
    void send(place, name, readArgs(typed), dangerous);
  };
  return element("li", { "data-testid": "device-command", "data-name": name }, form);
}

/** A device that has not said what it takes may be asked anything. */
export function anyCommand(place: DevicePlace): HTMLElement {
  const form = element(
    "form",
    { class: "command-form" },
    element("p", { class: "muted" }, "It has not said which commands it takes."),
    element(
      "div",
      { class: "command-head" },
      element("input", {
        class: "input",
        name: "line",
        placeholder: "start speed=3",
        "aria-label": "Command and arguments",
        autocomplete: "off",
        "data-testid": "any-command",
      }),
      element(
        "button",
        {
          class: "button button-small",
          "aria-label": "Send",
          "data-testid": "send-command",
        },
        icon("send"),
      ),
    ),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    const typed = String(new FormData(form).get("line"));
    const line = parseCommandLine(`/cmd ${place.device.id} ${typed}`, [place.device])!;
    if ("problem" in line) return notice(problemOf(line), "problem");
    void send(place, line.name, line.args, false);
  };
  return element("li", {}, form);
}

async function send(
  { room, device }: DevicePlace,
  name: string,
  args: Metadata,
  dangerous: boolean,
): Promise<void> {
  const wrong = await sendCommand(room, device, { name, args }, { dangerous });
  if (wrong !== undefined) notice(wrong, "problem");
}

function readArgs(typed: (readonly [string, string])[]): Metadata {
  const filled = typed.filter(([, value]) => value !== "");
  return Object.fromEntries(filled.map(([name, value]) => [name, readValue(value)]));
}

/** Numbers, true, false and null as such; everything else is text. */
export function readValue(text: string): Json {
  if (/^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return Number(text);
  return text === "true" ? true : text === "false" ? false : text === "null" ? null : text;
}
