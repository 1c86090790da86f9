import type { RuleKind, TelemetryRule } from "../../lib/client/mod.ts";
import { element } from "./element.ts";
import { openFormDialog } from "./form_dialog.ts";
import { choiceField, numberIn, textField } from "./form_fields.ts";

const KINDS: Record<RuleKind, string> = {
  above: "It rises above a value",
  below: "It falls below a value",
  change: "It changes by a value",
  silence: "It is silent for some time",
  digest: "Regularly, as a digest",
};

/** The numbers of each kind. */
const NUMBERS: Record<RuleKind, ("threshold" | "hysteresis" | "seconds")[]> = {
  above: ["threshold", "hysteresis"],
  below: ["threshold", "hysteresis"],
  change: ["threshold"],
  silence: ["seconds"],
  digest: ["seconds"],
};

/** What the dialog begins with, and where its rule goes. */
export interface RuleDialog {
  device: string;
  /** The rule that is changed. */
  rule?: TelemetryRule;
  /** Metrics that the device is known to measure. */
  metrics: readonly string[];
  save(rule: TelemetryRule): Promise<void>;
}

/** Asks when readings of a device become a message. */
export function openRuleDialog({ device, rule, metrics, save }: RuleDialog): void {
  const shown = (value: number | string | undefined) => value === undefined ? "" : String(value);
  const numeric = { inputmode: "decimal" };
  const parts = {
    threshold: textField("Value", "threshold", { ...numeric, value: shown(rule?.threshold) }),
    hysteresis: textField("Again after it was back by", "hysteresis", {
      ...numeric,
      value: shown(rule?.hysteresis),
      placeholder: "0",
    }),
    seconds: textField("Seconds", "seconds", { ...numeric, value: shown(rule?.seconds) }),
  };
  const form = openFormDialog({
    title: rule === undefined ? `Add a rule for ${device}` : `Change a rule for ${device}`,
    submit: "Save",
    testid: "save-rule",
    aliases: { rules: "id" },
    parts: [
      textField("Metric", "metric", { list: "rule-metrics", value: rule?.metric ?? "" }),
      element(
        "datalist",
        { id: "rule-metrics" },
        ...metrics.map((metric) => element("option", { value: metric })),
      ),
      choiceField("A message comes when", "kind", KINDS, rule?.kind ?? "above"),
      element("div", { class: "field-pair" }, parts.threshold, parts.hysteresis, parts.seconds),
      element(
        "div",
        { class: "field-pair" },
        textField("Unit", "unit", { value: rule?.unit ?? "", placeholder: "°C" }, "(optional)"),
        textField("Name", "id", { value: rule?.id ?? "" }, "(optional)"),
      ),
    ],
    save: (data) => save(readRule(data)),
  });
  const arrange = () => {
    const kind = new FormData(form).get("kind") as RuleKind;
    for (const [name, part] of Object.entries(parts)) {
      part.hidden = !NUMBERS[kind].includes(name as keyof typeof parts);
    }
  };
  form.addEventListener("change", arrange);
  arrange();
}

/** The rule that was filled in; without a name it is called after its metric and kind. */
export function readRule(data: FormData): TelemetryRule {
  const text = (name: string) => String(data.get(name) ?? "").trim();
  const [metric, unit] = [text("metric"), text("unit")];
  const kind = text("kind") as RuleKind;
  const rule: TelemetryRule = {
    id: text("id") || `${metric}-${kind}`.replace(/[^\w-]/g, "-").slice(-32),
    metric,
    kind,
  };
  for (const name of NUMBERS[kind]) {
    const value = numberIn(data, name);
    if (value !== undefined) rule[name] = value;
  }
  return unit === "" ? rule : { ...rule, unit };
}
