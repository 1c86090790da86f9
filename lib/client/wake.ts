/**
 * Calls `callback` when the network is back or the page is looked at again. Only browsers know;
 * elsewhere it is never called. The returned function stops it.
 */
export function onWake(callback: () => void): () => void {
  if (typeof document === "undefined") return () => {};
  const visible = () => {
    if (document.visibilityState === "visible") callback();
  };
  globalThis.addEventListener("online", callback);
  document.addEventListener("visibilitychange", visible);
  return () => {
    globalThis.removeEventListener("online", callback);
    document.removeEventListener("visibilitychange", visible);
  };
}
