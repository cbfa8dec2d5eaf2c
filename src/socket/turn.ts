interface Sender {
  /** Gives the kernel what has been written since the last call. */
  send(): void;
}

let senders: Sender[] = [];

/**
 * Has `sender.send()` called when everything is read that was there to be read in this turn of the event loop.
 *
 * First all that is read, then all that is written: what each needs stays in the processor's caches, and a peer that one
 * write has woken is still awake for the next, where a write after each read wakes it every time. What that saves, and
 * what a connection with nobody beside it pays for the detour, stands in docs/performance.md.
 */
export function sendThisTurn(sender: Sender): void {
  if (senders.length === 0) setImmediate(sendAll);
  senders.push(sender);
}

function sendAll(): void {
  const now = senders;
  senders = [];
  for (const sender of now) sender.send();
}
