import { TestDevice } from "../testing/mqtt_device.ts";
import { until } from "../testing/until.ts";
import type { Bench, BenchContext } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { LoadDevice } from "./load_mqtt.ts";
import { startBridgeBroker } from "./mosquitto.ts";
import { bridgeEnvironment, devicesIn, leaveOut } from "./mqtt_stage.ts";
import { Program } from "./program.ts";
import type { Scene } from "./scene.ts";

const EVERY_MS = 20;
/** A lease is held again within this, or nobody works. */
const DEADLINE_MS = 30_000;

interface Receipt {
  clientId: string;
  seq: number;
}

/** One death: milliseconds from it, and what became of the messages around it. */
interface Run {
  storedMs: number;
  receiptMs: number;
  unanswered: number;
  wrong: number;
}

/** A process with the role `bridge` is killed while another stands by and a device publishes. */
export const takeover: Bench = async (context) => {
  if (await leaveOut(context, "A takeover")) return [];
  const { scene, pins, runs, log } = context;
  const [owner] = await scene.people(1);
  const room = await scene.room([owner!]);
  const [device] = await devicesIn(context, [room]);
  await using broker = await startBridgeBroker(pins.services, true);
  const env = bridgeEnvironment(broker);
  await using stack = new AsyncDisposableStack();
  const startBridge = async () => {
    const bridge = stack.use(new Program("server", pins.server));
    await bridge.ask({ env: { ...scene.env, ...env } });
    return bridge;
  };
  let active = await startBridge();
  await using talker = await Talker.start(env.MQTT_URL!, device!);
  const seen: Run[] = [];
  for (let run = 0; run < runs; run++) {
    log(`  takeover, run ${run + 1}`);
    const standby = await startBridge();
    seen.push(await kill(context, { active, talker, room }));
    active = standby;
  }
  return takeoverFigures(seen);
};

async function kill(
  { scene }: BenchContext,
  { active, talker, room }: { active: Program; talker: Talker; room: string },
): Promise<Run> {
  const earlier = talker.sent;
  const term = await leaseTerm(scene);
  const talking = talker.talk();
  await until("messages are answered", () => talker.answered > earlier + 20, DEADLINE_MS);
  Deno.kill(active.pid, "SIGKILL");
  const [killedAt, date, before] = [performance.now(), Date.now(), talker.sent];
  // The dead one can have stored none of those that follow.
  await until("another answers", () => talker.receiptAt(before + 1) !== undefined, DEADLINE_MS);
  talker.quiet();
  await talking;
  await until("all are answered", () => talker.answered === talker.sent, DEADLINE_MS)
    .catch(() => {}); // those that are not are counted
  if (await leaseTerm(scene) === term) throw new Error("Somebody else than the dead had the lease");
  const stored = await storedMessages(scene, room);
  const isStored = ({ clientId, seq }: Receipt) => stored.get(clientId)?.seq === seq;
  return {
    storedMs: stored.get(talker.clientId(before + 1))!.atMs - date,
    receiptMs: talker.receiptAt(before + 1)! - killedAt,
    unanswered: talker.sent - talker.answered,
    wrong: talker.receipts.filter((receipt) => !isStored(receipt)).length,
  };
}

function takeoverFigures(runs: Run[]): Figure[] {
  const of = (value: (run: Run) => number) => runs.map(value);
  const what = "SIGKILL of the bridge that works";
  return [
    figure(`${what} → next message stored`, "ms", of((run) => run.storedMs), {
      goal: { atMost: 5000 },
    }),
    figure(`${what} → its receipt`, "ms", of((run) => run.receiptMs), {
      goal: { atMost: 5000 },
    }),
    figure(`${what}: messages without a receipt`, "", of((run) => run.unanswered), {
      goal: { atMost: 0 },
    }),
    figure(`${what}: receipts of what is not in the log`, "", of((run) => run.wrong), {
      goal: { atMost: 0 },
    }),
  ];
}

async function leaseTerm({ db }: Scene): Promise<number> {
  const [row] = await db.query<{ term: number }>("select max(term)::int as term from leases");
  return row!.term;
}

/** The messages of a room by client id, and when they were stored, in milliseconds since 1970. */
async function storedMessages({ db }: Scene, room: string) {
  const rows = await db.query<{ client_id: string; seq: number; at_ms: number }>(
    `select client_id, seq, (extract(epoch from at) * 1000)::float8 as at_ms
     from entries where room_id = $1 and type = 'message.created'`,
    [room],
  );
  return new Map(rows.map(({ client_id, seq, at_ms }) => [client_id, { seq, atMs: at_ms }]));
}

/** A device that publishes fifty messages a second with QoS 1, and remembers its receipts. */
class Talker implements AsyncDisposable {
  sent = 0;
  readonly receipts: Receipt[] = [];
  readonly #receiptAt = new Map<string, number>();
  #talks = false;

  private constructor(private readonly device: TestDevice, private readonly topic: string) {}

  /** Connects as soon as the broker knows the device. */
  static async start(url: string, { id, password, send, receipts }: LoadDevice): Promise<Talker> {
    let device: TestDevice | undefined;
    await until("the broker admits the device", async () => {
      device = await TestDevice.connect({ url, username: id, password }).catch(() => undefined);
      return device !== undefined;
    }, DEADLINE_MS);
    const talker = new Talker(device!, send);
    device!.client.on("message", (_, payload) => talker.#take(JSON.parse(payload.toString())));
    await device!.subscribe(receipts);
    return talker;
  }

  get answered(): number {
    return this.#receiptAt.size;
  }

  clientId(number: number): string {
    return `k${number}`;
  }

  /** When the first receipt of that message came, by the clock of performance.now(). */
  receiptAt(number: number): number | undefined {
    return this.#receiptAt.get(this.clientId(number));
  }

  /** Publishes until quiet(). */
  async talk(): Promise<void> {
    const publishing: Promise<void>[] = [];
    for (this.#talks = true; this.#talks;) {
      const clientId = this.clientId(++this.sent);
      publishing.push(this.device.publish(this.topic, JSON.stringify({ text: "hello", clientId })));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    await Promise.all(publishing);
  }

  quiet(): void {
    this.#talks = false;
  }

  #take(receipt: Receipt): void {
    this.receipts.push(receipt);
    if (!this.#receiptAt.has(receipt.clientId)) {
      this.#receiptAt.set(receipt.clientId, performance.now());
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.quiet();
    return this.device[Symbol.asyncDispose]();
  }
}
