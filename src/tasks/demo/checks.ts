import assert from "node:assert/strict";
import * as tls from "node:tls";
import { request } from "../../sandbox/index.ts";
import { type Hands, ownHands, touchPod } from "./hands.ts";
import { kubectlHands } from "./kubectl-hands.ts";
import type { Stage } from "./stage.ts";

/** One line of the self-check. */
export interface Checked {
  readonly passed: boolean;
  readonly text: string;
}

interface Check {
  readonly name: string;
  /** @returns what was seen, for the line; throws when it was not what it should be */
  run(stage: Stage, hands: Hands): Promise<string>;
}

// The recipe's own words for a caller that is nobody (its page shows them for `curl -k https://AGENT:6443`).
const RECIPE_403 = {
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: 'forbidden: User "system:anonymous" cannot get path "/"',
  reason: "Forbidden",
  details: {},
  code: 403,
};

const CHECKS: readonly Check[] = [
  {
    name: "the gate's certificate is verified by the demo's private CA, and by nothing else",
    async run({ gate }) {
      const trusted = await handshake(gate.port, gate.ca);
      assert.equal(trusted, "TLSv1.3");
      await assert.rejects(handshake(gate.port, undefined), "a client without the CA must refuse it");
      return trusted;
    },
  },
  {
    name: "nobody in particular gets the recipe's 403",
    async run({ gate }) {
      const answer = await request({ url: gate.url, ca: gate.ca }, "/");
      assert.deepEqual(JSON.parse(answer.text), RECIPE_403);
      return RECIPE_403.message;
    },
  },
  { name: "list of pods over HTTP/2", run: (stage, hands) => listPods(stage, hands, "2") },
  { name: "list of pods over HTTP/1.1", run: (stage, hands) => listPods(stage, hands, "1.1") },
  {
    name: "a watch tells a change",
    async run(stage, hands) {
      const event = await hands.watchPods(() => touchPod(stage));
      assert.match(event, /web/);
      return `${event} (${hands.name})`;
    },
  },
  {
    name: "exec over WebSocket, with its exit code",
    run: (stage, hands) => execute(stage, hands, "websocket"),
  },
  { name: "exec over SPDY, with its exit code", run: (stage, hands) => execute(stage, hands, "spdy") },
  {
    name: "logs -f",
    async run({ sandbox }, hands) {
      const line = await hands.followPodLog(() => sandbox.appendLog("a line of the self-check"));
      return `${line.trim()} (${hands.name})`;
    },
  },
  {
    name: "port-forward",
    async run(_, hands) {
      const answer = await hands.forwardToPod();
      assert.match(answer, /hello from the sandbox: GET \/demo/);
      return `hello from the sandbox (${hands.name})`;
    },
  },
  {
    name: "a smuggling attempt is refused and never reaches the API",
    async run({ gate, sandbox }) {
      const answer = await sendRaw(gate.port, gate.ca, SMUGGLED);
      assert.match(answer, /^HTTP\/1\.1 400 /);
      assert.equal(
        sandbox.requests.some(({ url }) => url.includes("smuggled")),
        false,
        "the API saw it",
      );
      return "two lengths in one request: 400";
    },
  },
];

// RFC 9112 §6.3: a request with both lengths is read differently by two readers.
const SMUGGLED =
  "POST /smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled-too HTTP/1.1\r\n\r\n";

/** Does each thing for real, in order, and says what came of it. */
export async function* selfCheck(stage: Stage, environment: NodeJS.ProcessEnv): AsyncGenerator<Checked> {
  const own = ownHands(stage);
  const hands = (await kubectlHands(stage, environment, own)) ?? own;
  for (const { name, run } of CHECKS) {
    try {
      yield { passed: true, text: `${name}: ${await run(stage, hands)}` };
    } catch (error) {
      yield { passed: false, text: `${name}: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
}

/** A lane never translates: what the API saw is what the client spoke. */
async function listPods(stage: Stage, hands: Hands, http: "1.1" | "2"): Promise<string> {
  const before = stage.sandbox.requests.length;
  const names = await hands.listPods(http);
  assert.ok(names.includes("web"), `the pod web is not among ${names.join(", ")}`);
  const seen = stage.sandbox.requests.slice(before).filter(({ url }) => url.includes("/pods"));
  assert.ok(seen.length > 0, "the API saw no such request");
  const versions = [...new Set(seen.map(({ httpVersion }) => httpVersion.replace(/\.0$/, "")))];
  assert.deepEqual(versions, [http], "the API saw another protocol");
  return `${names.join(", ")} (${hands.name})`;
}

async function execute(stage: Stage, hands: Hands, transport: "websocket" | "spdy"): Promise<string> {
  const before = stage.sandbox.requests.length;
  const result = await hands.execInPod(transport, ["sh", "-c", "echo from inside; exit 3"]);
  assert.equal(result.stdout.trim(), "from inside", result.stderr.trim());
  assert.equal(result.exitCode, 3, `exit code ${result.exitCode}`);
  const upgrades = stage.sandbox.requests
    .slice(before)
    .filter(({ url }) => url.includes("/exec"))
    .flatMap(({ headers }) =>
      headers.filter(([name]) => name === "upgrade").map(([, value]) => value.toLowerCase()),
    );
  assert.ok(
    upgrades.includes(transport === "spdy" ? "spdy/3.1" : "websocket"),
    `the API saw ${upgrades.join(", ")}`,
  );
  return `"from inside", exit code 3 (${hands.name})`;
}

function handshake(port: number, ca: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: "127.0.0.1", port, ...(ca !== undefined && { ca }) }, () => {
      resolve(socket.getProtocol() ?? "");
      socket.end();
    });
    socket.once("error", reject);
  });
}

/** Sends bytes as they are, and returns all that comes back. */
function sendRaw(port: number, ca: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = tls.connect({ host: "127.0.0.1", port, ca }, () => socket.write(bytes));
    socket.setTimeout(5_000, () => socket.destroy(new Error("no answer within 5 s")));
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.once("end", () => resolve(answer));
    socket.once("error", reject);
  });
}
