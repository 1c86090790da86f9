import type { DevicePlace, PanelPart } from "./device_panel.ts";
import { element } from "./element.ts";
import { clearProblems, formProblem, labelled, numberIn, showProblem } from "./form_fields.ts";
import { attempt, notice } from "./notice.ts";
import { REREAD_MS } from "./owned_device.ts";
import { whileVisible } from "./while_visible.ts";

/** How often a device should be heard: its rooms are told when it is not. */
export function expectationForm({ rest, device, owned }: DevicePlace): PanelPart {
  const input = element("input", {
    class: "input",
    name: "expectedSeconds",
    inputmode: "numeric",
    autocomplete: "off",
    placeholder: "never",
    "data-testid": "expected-seconds",
  });
  const save = element("button", {
    class: "button button-small",
    "data-testid": "save-expectation",
  }, "Save");
  const form = element(
    "form",
    { class: "expectation", novalidate: true },
    labelled("Expected every", input, "seconds; its rooms are told otherwise"),
    save,
    formProblem(),
  );
  let shown = "";
  const take = (seconds: number | null) => {
    const changing = input.value.trim() !== shown;
    shown = seconds === null ? "" : String(seconds);
    if (!changing) input.value = shown;
  };
  const load = async () => take((await rest.deviceStatus(device.id)).expectedSeconds);
  form.onsubmit = async (event) => {
    event.preventDefault();
    clearProblems(form);
    save.disabled = true;
    try {
      const wanted = numberIn(new FormData(form), "expectedSeconds") ?? null;
      const { expectedSeconds } = await owned.rest.expect(device.id, wanted);
      shown = input.value = expectedSeconds === null ? "" : String(expectedSeconds);
      notice(
        expectedSeconds === null
          ? `${device.name} need not be heard.`
          : `${device.name} is expected every ${expectedSeconds} s.`,
      );
    } catch (error) {
      showProblem(form, error);
    } finally {
      save.disabled = false;
    }
  };
  void attempt(load);
  return { element: form, stop: whileVisible(REREAD_MS, () => void load().catch(() => {})) };
}
