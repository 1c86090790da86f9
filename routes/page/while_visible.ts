/** Runs `work` every `ms` while the page is looked at, and when it is again; the result stops it. */
export function whileVisible(ms: number, work: () => void): () => void {
  const look = () => {
    if (document.visibilityState === "visible") work();
  };
  const timer = setInterval(look, ms);
  document.addEventListener("visibilitychange", look);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", look);
  };
}
