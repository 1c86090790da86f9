const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "long" });
const dayAndYear = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

const DAY_MS = 86_400_000;

/** "Today", "Yesterday", a weekday within the last week, or the date. */
export function dayLabel(at: Date, now = new Date()): string {
  const days = Math.round((startOfDay(now) - startOfDay(at)) / DAY_MS);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days > 1 && days < 7) return weekday.format(at);
  return (at.getFullYear() === now.getFullYear() ? day : dayAndYear).format(at);
}

/** Hours and minutes. */
export function clockLabel(at: Date): string {
  return clock.format(at);
}

/** Everything about a moment, for a tooltip. */
export function momentLabel(at: Date): string {
  return full.format(at);
}

/** The time today, the day otherwise: for lists. */
export function briefLabel(at: Date, now = new Date()): string {
  return startOfDay(at) === startOfDay(now) ? clock.format(at) : short.format(at);
}

function startOfDay(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}
