import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { podHttpPort } from "../../sandbox/index.ts";
import type { Hands } from "./hands.ts";
import type { Stage } from "./stage.ts";

/** Every kubectl of the self-check is over by then, ms. */
const LIMIT_MS = 20_000;
/** kubectl speaks WebSocket for exec from this minor version on; before, SPDY only. */
const WEBSOCKET_MINOR = 31;

/**
 * The kubectl of this machine as the user of the demo's kubeconfig.
 * @param own  does what an old kubectl cannot
 * @returns undefined when there is none, or it does not say its version
 */
export async function kubectlHands(
  stage: Stage,
  environment: NodeJS.ProcessEnv,
  own: Hands,
): Promise<Hands | undefined> {
  const program = findProgram("kubectl", environment);
  if (program === undefined) return undefined;
  const kubectl = new Kubectl(program, stage, environment);
  const version = await kubectl.version();
  if (version === undefined) return undefined;
  return {
    name: `kubectl ${version.text}`,
    async listPods(http) {
      const out = await kubectl.run(
        ["get", "pods", "-o", "name"],
        http === "1.1" ? { DISABLE_HTTP2: "1" } : {},
      );
      return out.stdout
        .trim()
        .split("\n")
        .map((name) => name.replace(/^pods?\//, ""));
    },
    async watchPods(cause) {
      const args = ["get", "pods", "--watch-only", "-o", "name"];
      return kubectl.untilLine(args, /^pod\/(\S+)/m, cause);
    },
    async execInPod(transport, command) {
      if (transport === "websocket" && version.minor < WEBSOCKET_MINOR)
        return own.execInPod(transport, command);
      const useWebSocket = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: String(transport === "websocket") };
      return kubectl.run(["exec", "web", "--", ...command], useWebSocket);
    },
    async followPodLog(cause) {
      const again = async () => {
        cause();
      };
      return kubectl.untilLine(["logs", "--follow", "--tail=0", "web"], /^.+$/m, again);
    },
    async forwardToPod() {
      const forward = kubectl.start(["port-forward", "pod/web", `:${podHttpPort}`], {});
      try {
        const port = Number(await forward.match(/Forwarding from 127\.0\.0\.1:(\d+)/));
        const answer = await fetch(`http://127.0.0.1:${port}/demo`, {
          signal: AbortSignal.timeout(LIMIT_MS),
        });
        return await answer.text();
      } finally {
        forward.stop();
      }
    },
  };
}

class Kubectl {
  readonly #program: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #flags: readonly string[];

  constructor(program: string, stage: Stage, environment: NodeJS.ProcessEnv) {
    this.#program = program;
    // A user's own settings (proxies, other clusters) must not lead it elsewhere, nor its cache be written to.
    const { HTTPS_PROXY: _1, https_proxy: _2, ...rest } = environment;
    this.#environment = { ...rest, KUBECONFIG: stage.files.kubeconfig };
    this.#flags = ["--cache-dir", join(stage.folder, "kubectl-cache")];
  }

  async version(): Promise<{ readonly text: string; readonly minor: number } | undefined> {
    const { stdout } = await this.run(["version", "--client", "-o", "json"], {});
    const found = /"gitVersion":\s*"v(\d+\.(\d+)[^"]*)"/.exec(stdout);
    return found === null ? undefined : { text: found[1] ?? "", minor: Number(found[2]) };
  }

  async run(args: readonly string[], more: NodeJS.ProcessEnv) {
    const { ended } = this.start(args, more);
    return ended;
  }

  /** Starts a command that does not end, repeats a cause until a line of it matches, and stops it. */
  async untilLine(args: readonly string[], pattern: RegExp, cause: () => Promise<unknown>): Promise<string> {
    const running = this.start(args, {});
    const again = setInterval(() => void cause(), 300);
    try {
      return await running.match(pattern);
    } finally {
      clearInterval(again);
      running.stop();
    }
  }

  start(args: readonly string[], more: NodeJS.ProcessEnv): RunningKubectl {
    const child = spawn(this.#program, [...this.#flags, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...this.#environment, ...more },
    });
    return new RunningKubectl(child, args[0] ?? "");
  }
}

class RunningKubectl {
  readonly ended: Promise<{ readonly stdout: string; readonly stderr: string; readonly exitCode: number }>;
  readonly #child: ChildProcess;
  readonly #verb: string;
  #stdout = "";
  #stderr = "";

  constructor(child: ChildProcess, verb: string) {
    this.#child = child;
    this.#verb = verb;
    child.stdout?.on("data", (chunk) => {
      this.#stdout += chunk;
    });
    child.stderr?.on("data", (chunk) => {
      this.#stderr += chunk;
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => {
        clearTimeout(timer);
        if (signal === "SIGKILL")
          reject(new Error(`kubectl ${verb} did not end within ${LIMIT_MS / 1_000} s`));
        else resolve({ stdout: this.#stdout, stderr: this.#stderr, exitCode: code ?? -1 });
      });
    });
    this.ended.catch(() => {}); // whoever waits for a match hears it by that
  }

  /** @returns the first group of the pattern, or all it matched */
  async match(pattern: RegExp): Promise<string> {
    const look = () => {
      const found = pattern.exec(this.#stdout);
      return found === null ? undefined : (found[1] ?? found[0]);
    };
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = look();
        if (found !== undefined) resolve(found);
      };
      this.#child.stdout?.on("data", check);
      this.ended.then(
        ({ stderr }) => reject(new Error(`kubectl ${this.#verb} ended without it: ${stderr.trim()}`)),
        reject,
      );
      check();
    });
  }

  stop(): void {
    this.#child.kill("SIGTERM");
  }
}

function findProgram(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const folders = (environment.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // not there, or not ours to run: both mean "look further"
  }
}
