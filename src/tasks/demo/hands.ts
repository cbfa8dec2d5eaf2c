import {
  annotationPatch,
  type ExecResult,
  exec,
  followLog,
  list,
  openPortForward,
  podHttpPort,
  request,
  type StreamTransport,
  watchOne,
} from "../../sandbox/index.ts";
import type { Stage } from "./stage.ts";

/** Somebody who uses the gate as a person would: real kubectl where it is there, else a client of our own. */
export interface Hands {
  /** For the lines of the self-check: `kubectl 1.35.0`. */
  readonly name: string;
  /** Names of the pods in `default`. */
  listPods(http: "1.1" | "2"): Promise<readonly string[]>;
  /** Watches the pods of `default` until the change that `cause` makes is told. */
  watchPods(cause: () => Promise<unknown>): Promise<string>;
  execInPod(transport: StreamTransport, command: readonly string[]): Promise<ExecResult>;
  /** Follows the pod's log until a line is told that `cause` made. */
  followPodLog(cause: () => void): Promise<string>;
  /** One HTTP request to the pod through a port-forward. */
  forwardToPod(): Promise<string>;
}

const PODS = "/api/v1/namespaces/default/pods";
const POD = `${PODS}/web`;

export function ownHands(stage: Stage): Hands {
  const { gate } = stage;
  return {
    name: "own client",
    async listPods(http) {
      return (await list(gate, PODS, http)).names;
    },
    async watchPods(cause) {
      const event = await watchOne(gate, PODS, cause);
      return `${event.type} ${event.name}`;
    },
    execInPod: (transport, command) => exec(gate, POD, command, { transport }),
    async followPodLog(cause) {
      const lines = followLog(gate, `${POD}/log`, 1);
      const again = setInterval(cause, 200);
      try {
        return (await lines)[0] ?? "";
      } finally {
        clearInterval(again);
      }
    },
    async forwardToPod() {
      const tunnel = await openPortForward(gate, POD);
      try {
        const answer = await tunnel.exchange(podHttpPort, "GET /demo HTTP/1.0\r\nHost: web\r\n\r\n");
        return answer.toString();
      } finally {
        tunnel.close();
      }
    },
  };
}

/** Makes a change to the pod that a watch will tell. */
export async function touchPod(stage: Stage): Promise<void> {
  await request(stage.gate, POD, {
    method: "PATCH",
    contentType: "application/merge-patch+json",
    body: annotationPatch("postern.example/touched", String(Date.now())),
  });
}
