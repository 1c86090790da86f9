import { CommandDuty } from "../clients/command_duty.ts";
import { StateDuty } from "../clients/state_duty.ts";
import type { Scenario } from "../scenario.ts";
import { lookAtStates } from "../workload_kept.ts";

const COMMANDS = 20;
const ROUNDS = 10;

/** A device answers what it is asked, and some of it once more. */
export const repeatedAnswers: Scenario = {
  name: "repeated-answers",
  what: "A device answers commands, and says some answers again, in other words",
  nodes: 1,
  bridges: 1,
  least: { acks: { rest: COMMANDS }, kinds: { answer: COMMANDS }, deliveries: 0 },
  async play(stage) {
    const { principal } = await stage.device("valve", (voice) => new CommandDuty(voice));
    const writer = stage.rest(stage.owner, 1);
    for (let i = 1; i <= COMMANDS; i++) {
      const asked = { clientId: `ada-rest:${i}`, args: { number: i }, timeoutSeconds: 60 };
      const name = i % 5 === 0 ? "fail" : "work";
      writer.write(stage.room, { type: "command", device: principal, name, ...asked });
      await stage.pause(20);
    }
    const answers = () => stage.recorder.writes.filter(({ what }) => what.type === "answer");
    const receipts = () => answers().map(({ acks }) => acks.length);
    await stage.until(
      "the commands are answered",
      () => receipts().filter((count) => count > 0).length === COMMANDS,
    );
    await stage.until("an answer came again", () => receipts().some((count) => count > 1));
  },
};

/** Two people want a device to be different things. */
export const rivalWishes: Scenario = {
  name: "rival-wishes",
  what: "Two people on two nodes wish for states of a device, for the version that both saw",
  nodes: 2,
  bridges: 1,
  least: { acks: { rest: ROUNDS }, kinds: { desire: ROUNDS }, deliveries: 0 },
  async play(stage) {
    const { room, recorder } = stage;
    const { principal: device } = await stage.device("valve", (voice) => new StateDuty(voice));
    const rivals = [stage.rest(await stage.member("bob"), 1), stage.rest(stage.owner, 2)];
    let version = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const wishes = await Promise.all(rivals.map((writer) => {
        const clientId = `${writer.name}:${round}`;
        const what = { type: "desire", clientId, device, merge: false, version } as const;
        return writer.written(room, { ...what, desired: { by: writer.name, round } });
      }));
      version = Math.max(...wishes.flatMap(({ acks }) => acks.map(({ seq }) => seq)));
    }
    await lookAtStates(stage, [room], { recorder, signal: stage.signal, gone: () => false });
  },
};
