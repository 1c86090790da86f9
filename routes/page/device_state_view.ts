import type { DeviceState, Json } from "../../lib/client/mod.ts";
import type { DevicePlace, PanelPart } from "./device_panel.ts";
import { momentLabel } from "./day_label.ts";
import { desiredEditor } from "./desired_editor.ts";
import type { StateAccess } from "./desired_editor.ts";
import { element, fill } from "./element.ts";
import { attempt } from "./notice.ts";
import { stateRows } from "./state_rows.ts";

/** What a device is beside what it shall be, and a way to wish for something else. */
export function deviceStateView({ room, device }: DevicePlace): PanelPart {
  const access: StateAccess = {
    read: () => room.devices.state(device.id),
    put: async (desired, version) =>
      (await room.devices.setDesired(device.id, desired, { version })).state,
    patch: async (patch, version) =>
      (await room.devices.changeDesired(device.id, patch, { version })).state,
  };
  const table = element("div", { class: "state-table", "data-testid": "device-state" });
  const editor = element("div");
  const edit = element("button", {
    type: "button",
    class: "button button-small",
    hidden: true,
    "data-testid": "edit-desired",
    onclick: () => {
      if (state === undefined) return;
      fill(editor, desiredEditor(state, access, close));
      editor.querySelector("textarea")?.focus();
    },
  }, "Change …");
  let state: DeviceState | undefined;
  const show = () => {
    edit.hidden = state === undefined || room.role === "reader" || room.role === null;
    fill(table, state === undefined ? hint("Loading …") : stateTable(state));
  };
  const load = async () => {
    state = await attempt(access.read) ?? state;
    show();
  };
  const close = (changed?: DeviceState) => {
    fill(editor);
    state = changed ?? state;
    show();
    edit.focus();
  };
  const stops = [
    room.on("reported", (reported) => {
      if (reported.device.id !== device.id || state === undefined) return;
      // The signal leaves out what is desired; its entry in the log has that.
      if (reported.desiredVersion !== state.desiredVersion) return void load();
      state = { ...state, ...reported };
      show();
    }),
    room.on("desired", (event) => {
      if (event.device.id === device.id && event.state.version !== state?.desiredVersion) {
        void load();
      }
    }),
    room.on("missed", () => void load()),
    room.on("state", (status) => {
      if (status === "live") void load();
    }),
  ];
  show();
  void load();
  return {
    element: element(
      "section",
      { class: "panel-part", "aria-label": "State" },
      element("header", {}, element("h3", {}, "State"), edit),
      table,
      editor,
    ),
    stop() {
      for (const stop of stops) stop();
    },
  };
}

function stateTable(state: DeviceState): HTMLElement {
  const rows = stateRows(state.reported ?? {}, state.desired ?? {});
  if (rows.length === 0) return hint("It has reported nothing yet, and nothing is wished for.");
  const open = rows.filter(({ differs }) => differs).length;
  const done = state.desired === undefined ? "Nothing is wished for." : "It is as it shall be.";
  const moments = [
    state.reportedAt && `Reported ${momentLabel(new Date(state.reportedAt))}`,
    state.desiredAt && `Desired since ${momentLabel(new Date(state.desiredAt))}`,
  ];
  const title = moments.filter(Boolean).join("\n");
  return element(
    "div",
    { title },
    element(
      "table",
      {},
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...["Field", "Reported", "Desired"].map((name) => element("th", { scope: "col" }, name)),
        ),
      ),
      element(
        "tbody",
        {},
        ...rows.map(({ field, reported, desired, differs }) =>
          element(
            "tr",
            { class: differs ? "differs" : "", "data-field": field },
            element("th", { scope: "row" }, field),
            element("td", {}, shown(reported)),
            element("td", {}, shown(desired)),
          )
        ),
      ),
    ),
    element("p", { class: "muted" }, open === 0 ? done : `It has yet to change ${open} of these.`),
  );
}

function shown(value: Json | undefined): string {
  if (value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function hint(text: string): HTMLElement {
  return element("p", { class: "muted" }, text);
}
