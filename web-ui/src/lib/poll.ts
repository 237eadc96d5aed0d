// Asks again and again while a page is open and looked at. Never two questions at once.

/** Starts at once, then every `everyMs` after the answer; gives the way to stop it. */
export function poll(ask: () => Promise<void>, everyMs: number): () => void {
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const round = async () => {
    if (document.visibilityState === 'visible') await ask().catch(() => undefined);
    if (!stopped) timer = setTimeout(() => void round(), everyMs);
  };
  void round();
  return () => { stopped = true; clearTimeout(timer); };
}
