import type { PublicPrincipal, RestClient, Room } from "../../lib/client/mod.ts";
import { avatar, withDot } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { deviceCommandsView } from "./device_commands_view.ts";
import { deviceReadingsView } from "./device_readings_view.ts";
import { deviceStateView } from "./device_state_view.ts";
import { element, fill } from "./element.ts";
import { icon } from "./icon.ts";
import type { PresenceDots } from "./presence_dots.ts";

/** A device in the room that is shown. */
export interface DevicePlace {
  room: Room;
  device: PublicPrincipal;
  rest: RestClient;
}

/** A part of the device panel. */
export interface PanelPart {
  element: HTMLElement;
  stop(): void;
}

/** The panel of one device at a time: its presence, state, readings and commands. */
export class DevicePanel {
  readonly element: HTMLElement;
  /** Called when the panel opens and closes. */
  toggled = (_open: boolean) => {};
  #chat: Chat;
  #room: Room;
  #presence: PresenceDots;
  #parts: PanelPart[] = [];
  #shown: string | undefined;
  #before: Element | null = null;

  constructor(chat: Chat, room: Room, presence: PresenceDots) {
    this.#chat = chat;
    this.#room = room;
    this.#presence = presence;
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
    const place = { room: this.#room, device, rest: this.#chat.client.rest };
    this.#parts = [deviceStateView(place), deviceReadingsView(place), deviceCommandsView(place)];
    fill(this.element, this.#header(device), ...this.#parts.map(({ element }) => element));
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
