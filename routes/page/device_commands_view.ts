import type { CommandDefinition } from "../../lib/client/mod.ts";
import { anyCommand, commandItem } from "./command_forms.ts";
import type { DevicePlace, PanelPart } from "./device_panel.ts";
import { openDefinitionDialog } from "./definition_dialog.ts";
import { askFirst } from "./dialog.ts";
import { arrange, element } from "./element.ts";
import { attempt } from "./notice.ts";
import { REREAD_MS } from "./owned_device.ts";
import { whileVisible } from "./while_visible.ts";

/** What a device can be asked to do, each with a form; its owner says what that is. */
export function deviceCommandsView(place: DevicePlace): PanelPart {
  const { rest, room, device, owned } = place;
  const list = element("ul", { class: "command-list" });
  // A row that is as it was stays, with what was typed into it
  const rows = new Map<string, HTMLElement>();
  let commands: CommandDefinition[] | null | undefined;
  const show = () => {
    if (commands === undefined) return;
    const mine = owned.device !== undefined;
    add.hidden = !mine;
    anything.hidden = !mine || commands?.length !== 0;
    const wanted = (commands ?? [null]).map((each) => ({
      key: JSON.stringify([each, mine]),
      make: () =>
        each === null ? anyCommand(place) : commandItem(place, each, mine && { ask, remove }),
    }));
    if (wanted.length === 0) wanted.push({ key: "", make: noCommand });
    const keys = new Set(wanted.map(({ key }) => key));
    for (const key of rows.keys()) if (!keys.has(key)) rows.delete(key);
    for (const { key, make } of wanted) if (!rows.has(key)) rows.set(key, make());
    const within = list.contains(document.activeElement);
    arrange(list, wanted.map(({ key }) => rows.get(key)!));
    if (within && !list.contains(document.activeElement)) add.focus();
  };
  const load = async () => {
    commands = (await rest.deviceCommands(room.id, device.id)).commands;
    show();
  };
  const set = async (wanted: CommandDefinition[] | null) => {
    commands = (await owned.rest.setCommands(device.id, wanted)).commands;
    show();
  };
  // Read anew each time, so that what was added elsewhere meanwhile stays
  const change = async (edit: (all: CommandDefinition[]) => CommandDefinition[]) => {
    await load();
    await set(edit(commands ?? []));
  };
  const ask = (definition?: CommandDefinition) =>
    openDefinitionDialog({
      device: device.name,
      takesAny: commands === null,
      save: (made) => change((all) => withDefinition(all, definition?.name, made)),
      ...(definition === undefined ? {} : { definition }),
    });
  const remove = ({ name }: CommandDefinition) =>
    askFirst(
      `Delete the command ${name}?`,
      `${device.name} will be asked to ${name} no more.`,
      "Delete",
      () => void attempt(() => change((all) => all.filter((each) => each.name !== name))),
    );
  const add = small("Add …", "add-command", () => ask());
  const anything = small("Take any", "any-commands", () =>
    askFirst(
      "Let it take every command?",
      "Members may send it anything then, and nothing is asked to be confirmed.",
      "Take any command",
      () => void attempt(() => set(null)),
    ));
  const stops = [owned.on(show), whileVisible(REREAD_MS, () => void load().catch(() => {}))];
  void attempt(load);
  return {
    element: element(
      "section",
      { class: "panel-part", "aria-label": "Commands", "data-testid": "device-commands" },
      element(
        "header",
        {},
        element("h3", {}, "Commands"),
        element("span", { class: "part-actions" }, anything, add),
      ),
      list,
    ),
    stop() {
      for (const stop of stops) stop();
    },
  };
}

/** The definitions with another one in the place of `name`, or at the end. */
function withDefinition(
  all: CommandDefinition[],
  name: string | undefined,
  made: CommandDefinition,
): CommandDefinition[] {
  if (!all.some((each) => each.name === name)) return [...all, made];
  return all.map((each) => each.name === name ? made : each);
}

function small(label: string, testid: string, run: () => void): HTMLElement {
  return element("button", {
    type: "button",
    class: "button button-small",
    hidden: true,
    "data-testid": testid,
    onclick: run,
  }, label);
}

const noCommand = () => element("li", { class: "muted" }, "It takes no commands.");
