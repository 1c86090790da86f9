import type { PublicPrincipal, RestClient, Room } from "../../lib/client/mod.ts";
import { avatar, withDot } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { deviceCommandsView } from "./device_commands_view.ts";
import { deviceOwnerView } from "./device_owner_view.ts";
import { deviceReadingsView } from "./device_readings_view.ts";
import { deviceRulesView } from "./device_rules_view.ts";
import { deviceStateView } from "./device_state_view.ts";
import { element, fill } from "./element.ts";
import { icon } from "./icon.ts";
import { notice } from "./notice.ts";
import { OwnedDevice } from "./owned_device.ts";
import type { PresenceDots } from "./presence_dots.ts";

/** A device in the room that is shown. */
export interface DevicePlace {
  room: Room;
  device: PublicPrincipal;
  rest: RestClient;
  /** The device as its owner sees it. */
  owned: OwnedDevice;
}

/** A part of the device panel. */
export interface PanelPart {
  element: HTMLElement;
  stop(): void;
}

/** The panel of one device at a time: its presence, state, readings, commands, rules and settings. */
export class DevicePanel {
  readonly element: HTMLElement;
  /** Called when the panel opens and closes. */
  toggled = (_open: boolean) => {};
  #chat: Chat;
  #room: Room;
  #presence: PresenceDots;
  #parts: Pick<PanelPart, "stop">[] = [];
  #shown: string | undefined;
  #before: Element | null = null;
  #stopWatch: () => void;

  constructor(chat: Chat, room: Room, presence: PresenceDots) {
    this.#chat = chat;
    this.#room = room;
    this.#presence = presence;
    this.#stopWatch = room.on("member", (event) => {
      if (!("principal" in event) || event.principal.id !== this.#shown) return;
      notice(`${event.principal.name} is not in this room any more.`);
      this.close();
    });
    this.element = element("aside", {
      class: "members device-panel",
      hidden: true,
      "aria-label": "Device",
      "data-testid": "device-panel",
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === "Escape" && !(event.target instanceof HTMLTextAreaElement)) this.close();
      },
    });
  }

  get open(): boolean {
    return this.#shown !== undefined;
  }

  /** Shows a device of the room. */
  show(device: PublicPrincipal): void {
    if (this.#shown === device.id) return;
    if (!this.open) this.#before = document.activeElement;
    this.#clear();
    this.#shown = device.id;
    const { rest } = this.#chat.client;
    const owned = new OwnedDevice(rest.ownDevices, device.id);
    const place = { room: this.#room, device, rest, owned };
    const parts = [
      deviceStateView,
      deviceReadingsView,
      deviceCommandsView,
      deviceRulesView,
      deviceOwnerView,
    ].map((view) => view(place));
    this.#parts = [...parts, owned];
    fill(this.element, this.#header(device), ...parts.map(({ element }) => element));
    this.element.dataset.device = device.id;
    this.element.hidden = false;
    this.toggled(true);
    this.element.querySelector<HTMLElement>("button")?.focus();
  }

  close(): void {
    if (!this.open) return;
    this.#clear();
    fill(this.element);
    this.element.hidden = true;
    this.toggled(false);
    if (this.#before instanceof HTMLElement && this.#before.isConnected) this.#before.focus();
  }

  stop(): void {
    this.#stopWatch();
    this.#clear();
  }

  #header(device: PublicPrincipal): HTMLElement {
    return element(
      "header",
      { class: "members-header" },
      withDot(avatar(device), this.#presence.dot(device.id)),
      element(
        "span",
        { class: "result-text" },
        element("h2", { class: "clip" }, device.name),
        this.#presence.words(device.id),
      ),
      element("button", {
        type: "button",
        class: "button button-icon",
        "aria-label": "Close device",
        "data-testid": "close-device",
        onclick: () => this.close(),
      }, icon("close")),
    );
  }

  #clear(): void {
    for (const part of this.#parts) part.stop();
    this.#parts = [];
    this.#shown = undefined;
  }
}
