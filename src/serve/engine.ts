import type { BoundAddress } from "../gate/index.ts";

/** Something that carries out a Configuration; a running one is stopped by whoever started it. */
export interface Engine {
  readonly addresses: readonly BoundAddress[];
  readonly openLanes: number;
  /**
   * No new connections; clients are asked to leave and have until the grace time is over, then they are cut. At once
   * when no lane is open.
   * @param graceMs  how long open streams may go on
   */
  stop(graceMs: number): Promise<void>;
}
