import type { DeviceAnswer } from "../../lib/client/mod.ts";
import { deviceAccessView } from "./device_access_view.ts";
import { element } from "./element.ts";
import { openFormDialog } from "./form_dialog.ts";
import { choiceField } from "./form_fields.ts";

/** Seconds, and what is said of them. */
const GRACES = {
  "0": "Ends at once, and its connection too",
  "600": "Stays good for 10 minutes",
  "3600": "Stays good for an hour",
  "86400": "Stays good for a day",
  "604800": "Stays good for a week",
};

/** What the dialog is about, and where the password comes from. */
export interface RotateDialog {
  device: string;
  /** For the ready-made lines. */
  room: string;
  rotate(graceSeconds: number): Promise<DeviceAnswer>;
}

/** Makes a new password for a device and shows it once. */
export function openRotateDialog({ device, room, rotate }: RotateDialog): void {
  openFormDialog({
    title: `A new password for ${device}`,
    submit: "Make it",
    testid: "rotate",
    parts: [
      element(
        "p",
        { class: "muted" },
        "It is shown once. While the former one is good, both work, so that you can change the " +
          "device over; until then this shows the same new one again.",
      ),
      choiceField("The former password", "graceSeconds", GRACES, "86400"),
    ],
    save: async (data) => deviceAccessView(await rotate(Number(data.get("graceSeconds"))), room),
  });
}
