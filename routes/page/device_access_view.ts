import type { DeviceAnswer } from "../../lib/client/mod.ts";
import { accessText, deviceCommands } from "./device_commands.ts";
import { element, fill } from "./element.ts";
import { icon } from "./icon.ts";
import { attempt } from "./notice.ts";

/** How a device connects, as text and as a QR code: shown once, when its password was made. */
export function deviceAccessView(made: DeviceAnswer, room: string): (HTMLElement | false)[] {
  const { subscribe, publish } = deviceCommands(made, room);
  const { mqtt } = made;
  return [
    element(
      "p",
      { class: "callout", role: "status" },
      icon("warning"),
      element(
        "span",
        {},
        element("strong", {}, "Copy this now. "),
        "The password is shown this one time and cannot be shown again.",
      ),
    ),
    forCameras(made),
    command("Write into the room", publish, "device-publish"),
    command("Listen to the room", subscribe, "device-subscribe"),
    !mqtt.clientIdSuffix && element(
      "p",
      { class: "muted" },
      "This broker lets a device connect once: stop one command before you run the other.",
    ),
    element(
      "details",
      {},
      element("summary", {}, "For other MQTT clients"),
      facts([
        ["Host", `${mqtt.host}:${mqtt.port}${mqtt.tls ? " (TLS)" : ""}`],
        ["Client id", mqtt.clientId],
        ["Username", mqtt.username],
        ["Password", mqtt.password],
        ...Object.entries(mqtt.topics).map(([name, topic]): [string, string] => [name, topic]),
      ]),
    ),
  ];
}

/** A device with a camera reads all of it at once. The code is drawn when it is asked for. */
function forCameras(made: DeviceAnswer): HTMLElement {
  const text = accessText(made);
  const place = element("div", { class: "qr-place" });
  const details = element(
    "details",
    { "data-testid": "show-qr" },
    element("summary", {}, "As a QR code, for a device with a camera"),
    element(
      "p",
      { class: "muted" },
      "It holds the address of the broker, the client id, the username and the password, as JSON.",
    ),
    place,
    command("The same as text", text, "device-access"),
  );
  details.addEventListener("toggle", async () => {
    if (!details.open || place.hasChildNodes()) return;
    const drawn = await attempt(async () => {
      const { qrView } = await import("./qr_view.ts");
      return qrView(text, `How ${made.device.name} connects`);
    });
    if (drawn !== undefined) fill(place, drawn);
  });
  return details;
}

function command(label: string, line: string, testid: string): HTMLElement {
  const copy = element(
    "button",
    {
      type: "button",
      class: "button",
      "data-testid": "copy",
      "aria-label": `Copy: ${label}`,
      onclick: async () => {
        const copied = await attempt(() => navigator.clipboard.writeText(line).then(() => true));
        if (copied) fill(copy, icon("check"), "Copied");
      },
    },
    icon("copy"),
    "Copy",
  );
  return element(
    "section",
    { class: "command" },
    element("header", {}, element("h3", {}, label), copy),
    element("pre", { tabindex: 0 }, element("code", { "data-testid": testid }, line)),
  );
}

function facts(rows: [string, string][]): HTMLElement {
  return element(
    "dl",
    { class: "facts" },
    ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
}
