import type { Device, Metadata } from "../../lib/client/mod.ts";
import { briefLabel } from "./day_label.ts";
import type { DevicePlace, PanelPart } from "./device_panel.ts";
import { askFirst } from "./dialog.ts";
import { element, fill } from "./element.ts";
import { expectationForm } from "./expectation_form.ts";
import { attempt, notice } from "./notice.ts";
import { oneAtATime } from "./one_at_a_time.ts";
import { openRotateDialog } from "./rotate_dialog.ts";
import { openSchemaDialog } from "./schema_dialog.ts";

/** What only the owner of a device may do: expect it, say what it sends, its password, its end. */
export function deviceOwnerView(place: DevicePlace): PanelPart {
  const { owned } = place;
  const body = element("div", { class: "settings" });
  const part = element(
    "section",
    { class: "panel-part", "aria-label": "Settings", "data-testid": "device-settings" },
    element("header", {}, element("h3", {}, "Settings")),
    body,
  );
  const access = element("div", { class: "settings" });
  let expectation: PanelPart | undefined;
  const show = () => {
    part.hidden = owned.device === undefined;
    if (owned.device === undefined) return;
    if (expectation === undefined) {
      expectation = expectationForm(place);
      fill(body, expectation.element, schemaRow(place), access);
    }
    const focused = [...access.children].findIndex((row) => row.contains(document.activeElement));
    fill(access, secretRow(place, owned.device), accessRow(place, owned.device), deleteRow(place));
    access.children[focused]?.querySelector("button")?.focus();
  };
  show();
  const stop = owned.on(show);
  return {
    element: part,
    stop() {
      stop();
      expectation?.stop();
    },
  };
}

/** What is so, beside what one may do about it. */
function row(label: string, text: string, ...controls: (HTMLElement | false)[]): HTMLElement {
  return element(
    "div",
    { class: "setting" },
    element("span", { class: "setting-text" }, label, element("span", { class: "muted" }, text)),
    ...controls,
  );
}

function button(label: string, testid: string, run: () => void, danger = false): HTMLElement {
  return element("button", {
    type: "button",
    class: danger ? "button button-small button-danger" : "button button-small",
    "data-testid": testid,
    onclick: run,
  }, label);
}

/** The schema is read when it is to be changed: it may be large. */
function schemaRow({ device, owned }: DevicePlace): HTMLElement {
  const edit = oneAtATime(async () => {
    const read = await attempt(() => owned.rest.schema(device.id));
    if (read === undefined) return;
    const save = async (schema: Metadata | null) => {
      await owned.rest.setSchema(device.id, schema);
      notice(schema === null ? "Any data is taken." : "The schema is set.");
    };
    openSchemaDialog({ device: device.name, schema: read.schema, save });
  });
  return row(
    "Data",
    "A JSON Schema may say what it sends.",
    button("Schema …", "edit-schema", () => void edit()),
  );
}

function secretRow({ room, device, owned }: DevicePlace, { formerSecretUntil }: Device) {
  const rotate = async (graceSeconds: number) => {
    const made = await owned.rest.rotate(device.id, graceSeconds);
    owned.take(made.device);
    return made;
  };
  const end = () => change(async () => (await owned.rest.endFormerSecret(device.id)).device);
  const change = (work: () => Promise<Device>) =>
    void attempt(async () => owned.take(await work()));
  const until = formerSecretUntil === undefined
    ? "Shown once, when it is made."
    : `The former one is good until ${briefLabel(new Date(formerSecretUntil))}.`;
  return row(
    "Password",
    until,
    formerSecretUntil !== undefined && button("End former", "end-former", end),
    button(
      "New …",
      "new-secret",
      () => openRotateDialog({ device: device.name, room: room.id, rotate }),
    ),
  );
}

function accessRow({ device, owned }: DevicePlace, { disabledAt }: Device): HTMLElement {
  const set = (work: () => Promise<{ device: Device }>) =>
    void attempt(async () => owned.take((await work()).device));
  const disable = () =>
    askFirst(
      `Disable ${device.name}?`,
      "Its connections end, what it sends is refused, and it hears nothing more until you enable " +
        "it again.",
      "Disable",
      () => set(() => owned.rest.disable(device.id)),
    );
  return disabledAt === undefined
    ? row("Access", "It may connect.", button("Disable …", "disable-device", disable))
    : row(
      "Access",
      `Disabled since ${briefLabel(new Date(disabledAt))}.`,
      button("Enable", "enable-device", () => set(() => owned.rest.enable(device.id))),
    );
}

function deleteRow({ device, owned }: DevicePlace): HTMLElement {
  const remove = async () => {
    await owned.rest.delete(device.id);
    owned.take(undefined);
    notice(`${device.name} is gone.`);
  };
  const ask = () =>
    askFirst(
      `Delete ${device.name}?`,
      "It leaves all its rooms and can never connect again. Its messages stay.",
      "Delete for good",
      () => void attempt(remove),
    );
  return row("End", "For good, in all its rooms.", button("Delete …", "delete-device", ask, true));
}
