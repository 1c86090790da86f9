import type { TelemetryRule } from "../../lib/client/mod.ts";
import type { DevicePlace, PanelPart } from "./device_panel.ts";
import { askFirst } from "./dialog.ts";
import { element, fill } from "./element.ts";
import { iconButton } from "./icon_button.ts";
import { attempt } from "./notice.ts";
import { oneAtATime } from "./one_at_a_time.ts";
import { problemText } from "./problem_text.ts";
import { REREAD_MS } from "./owned_device.ts";
import { openRuleDialog } from "./rule_dialog.ts";
import { ruleWords } from "./rule_words.ts";
import { whileVisible } from "./while_visible.ts";

/** Which readings of a device become messages; whoever may, changes that. */
export function deviceRulesView(place: DevicePlace): PanelPart {
  const { rest, room, device, owned } = place;
  const list = element("ul", { class: "settings" });
  let rules: TelemetryRule[] | undefined;
  let drawn = "";
  const show = () => {
    const mine = mayChange(place);
    const state = JSON.stringify([rules, mine]);
    if (rules === undefined || state === drawn) return;
    drawn = state;
    add.hidden = !mine;
    const none = element("li", { class: "muted" }, "No reading becomes a message.");
    const rows = rules.map((rule) => ruleRow(rule, mine && { change: ask, remove }));
    const within = list.contains(document.activeElement);
    fill(list, ...(rows.length === 0 ? [none] : rows));
    if (within) add.focus();
  };
  const load = async () => {
    rules = (await rest.telemetryRules(room.id, device.id)).rules;
    show();
  };
  // Read anew each time, so that what somebody else has added meanwhile stays
  const change = async (edit: (rules: TelemetryRule[]) => TelemetryRule[]) => {
    await load();
    rules = (await rest.setTelemetryRules(room.id, device.id, edit(rules ?? []))).rules;
    show();
  };
  const ask = oneAtATime(async (rule?: TelemetryRule) => {
    const known = await attempt(() => rest.telemetry(room.id, device.id));
    const save = (made: TelemetryRule) => change((all) => replaced(all, rule?.id, made));
    const metrics = known?.metrics.map(({ metric }) => metric) ?? [];
    openRuleDialog({ device: device.name, metrics, save, ...(rule === undefined ? {} : { rule }) });
  });
  const remove = (rule: TelemetryRule) =>
    askFirst(
      "Delete this rule?",
      `${ruleWords(rule)}: no message will come of it any more.`,
      "Delete",
      () => void attempt(() => change((all) => all.filter(({ id }) => id !== rule.id))),
    );
  const add = element("button", {
    type: "button",
    class: "button button-small",
    hidden: true,
    "data-testid": "add-rule",
    onclick: () => void ask(),
  }, "Add …");
  const stops = [
    owned.on(show),
    whileVisible(REREAD_MS, () => void load().catch(() => {})),
    room.on("state", show),
  ];
  load().catch((error) => fill(list, element("li", { class: "muted" }, problemText(error))));
  return {
    element: element(
      "section",
      { class: "panel-part", "aria-label": "Rules", "data-testid": "device-rules" },
      element("header", {}, element("h3", {}, "Rules"), add),
      list,
    ),
    stop() {
      for (const stop of stops) stop();
    },
  };
}

/** Owners and admins of the room, and the device's owner in it. */
function mayChange({ room, owned }: DevicePlace): boolean {
  const { role } = room;
  const member = role !== undefined && role !== null;
  return role === "owner" || role === "admin" || (member && owned.device !== undefined);
}

function ruleRow(
  rule: TelemetryRule,
  may: false | { change(rule: TelemetryRule): void; remove(rule: TelemetryRule): void },
): HTMLElement {
  const words = ruleWords(rule);
  return element(
    "li",
    { class: "setting", "data-testid": "rule", "data-rule": rule.id },
    element(
      "span",
      { class: "setting-text" },
      words,
      element("span", { class: "muted" }, rule.id),
    ),
    may && iconButton("edit", `Change ${words}`, "change-rule", () => may.change(rule)),
    may && iconButton("remove", `Delete ${words}`, "delete-rule", () => may.remove(rule)),
  );
}

/** The rules with another one in the place of `id`, or at the end. */
export function replaced(
  rules: readonly TelemetryRule[],
  id: string | undefined,
  rule: TelemetryRule,
): TelemetryRule[] {
  if (!rules.some((each) => each.id === id)) return [...rules, rule];
  return rules.map((each) => each.id === id ? rule : each);
}
