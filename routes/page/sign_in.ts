import type { SessionTokens, User } from "../../lib/client/mod.ts";
import { element, fill } from "./element.ts";
import { problemText } from "./problem_text.ts";

type Mode = "login" | "register" | "guest";

const MODES: { mode: Mode; label: string; submit: string; hint: string }[] = [
  { mode: "login", label: "Log in", submit: "Log in", hint: "Good to see you again." },
  {
    mode: "register",
    label: "Sign up",
    submit: "Create account",
    hint: "An account takes a name and a password, nothing else.",
  },
  {
    mode: "guest",
    label: "Guest",
    submit: "Continue as guest",
    hint: "Look around in public rooms without an account.",
  },
];

/** The page before anybody is signed in; `done` is called with who signed in. */
export function signInView(tokens: SessionTokens, done: (me: User) => void): HTMLElement {
  const form = element("form", {
    class: "sign-in-form",
    "data-testid": "sign-in",
    novalidate: true,
  });
  const tabs = element("div", { class: "tabs", role: "tablist", "aria-label": "How to sign in" });
  const choose = (mode: Mode, focus = false) => {
    fill(tabs, ...MODES.map((each) => tab(each, each.mode === mode, choose)));
    showForm(form, MODES.find((each) => each.mode === mode)!, tokens, done);
    if (focus) tabs.querySelector<HTMLElement>("[aria-selected=true]")?.focus();
  };
  choose("login");
  return element(
    "main",
    { class: "sign-in" },
    element(
      "section",
      { class: "sign-in-card", "aria-labelledby": "sign-in-title" },
      element("img", { src: "/assets/routes/page/icon.svg", alt: "", width: 48, height: 48 }),
      element("h1", { id: "sign-in-title" }, "Confab"),
      element("p", { class: "muted" }, "One conversation for people and devices."),
      tabs,
      form,
    ),
  );
}

function tab(
  { mode, label }: { mode: Mode; label: string },
  selected: boolean,
  choose: (mode: Mode, focus: boolean) => void,
): HTMLElement {
  const step = ({ key }: KeyboardEvent) => {
    const by = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
    const at = MODES.findIndex((each) => each.mode === mode) + by + MODES.length;
    if (by !== 0) choose(MODES[at % MODES.length]!.mode, true);
  };
  return element("button", {
    type: "button",
    role: "tab",
    class: "tab",
    "aria-selected": String(selected),
    tabindex: selected ? 0 : -1,
    onclick: () => choose(mode, true),
    onkeydown: step,
  }, label);
}

function showForm(
  form: HTMLFormElement,
  { mode, submit, hint }: typeof MODES[number],
  tokens: SessionTokens,
  done: (me: User) => void,
): void {
  const problem = element("p", {
    class: "problem",
    role: "alert",
    "data-testid": "sign-in-problem",
  });
  const button = element("button", {
    class: "button button-primary button-wide",
    "data-testid": "sign-in-submit",
  }, submit);
  const fields = fieldsOf(mode);
  fill(form, element("p", { class: "muted" }, hint), ...fields, problem, button);
  form.onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = "";
    try {
      done(await signIn(tokens, mode, new FormData(form)));
    } catch (error) {
      problem.textContent = problemText(error);
      button.disabled = false;
      form.querySelector("input")?.focus();
    }
  };
}

function signIn(tokens: SessionTokens, mode: Mode, data: FormData): Promise<User> {
  const value = (name: string) => String(data.get(name) ?? "");
  const displayName = value("displayName").trim();
  const named = displayName === "" ? {} : { displayName };
  const credentials = { username: value("username").trim(), password: value("password") };
  if (mode === "guest") return tokens.guest(named);
  if (mode === "login") return tokens.login(credentials);
  return tokens.register({ ...credentials, ...named });
}

function fieldsOf(mode: Mode): HTMLElement[] {
  const displayName = field("Display name", { name: "displayName", autocomplete: "name" }, true);
  if (mode === "guest") return [displayName];
  const autocomplete = mode === "login" ? "current-password" : "new-password";
  const fields = [
    field("Username", {
      name: "username",
      autocomplete: "username",
      autocapitalize: "none",
      spellcheck: "false",
    }),
    field("Password", { name: "password", type: "password", autocomplete }),
  ];
  return mode === "register" ? [...fields, displayName] : fields;
}

/** An input below its label. */
export function field(
  label: string,
  attributes: Record<string, string>,
  optional = false,
): HTMLElement {
  const note = element("span", { class: "muted" }, " (optional)");
  return element(
    "label",
    { class: "field" },
    element("span", {}, label, optional && note),
    element("input", { class: "input", required: !optional, ...attributes }),
  );
}
