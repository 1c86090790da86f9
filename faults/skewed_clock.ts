/**
 * Shifts what a program takes for the time of day by FAULTS_CLOCK_OFFSET_MS milliseconds. Timers
 * and `performance.now()` stay as they are. Loaded with `deno run --preload`.
 */

const offsetMs = Number(Deno.env.get("FAULTS_CLOCK_OFFSET_MS"));
const RealDate = Date;
const now = () => RealDate.now() + offsetMs;

const SkewedDate = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => name === "now" ? now : Reflect.get(target, name, receiver),
});
RealDate.prototype.constructor = SkewedDate;
globalThis.Date = SkewedDate;
