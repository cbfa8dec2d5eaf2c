import type { Api } from "../api.ts";
import { badRequest } from "../errors.ts";
import { isTrue } from "../logs.ts";
import { containerOf } from "../pods.ts";
import type { Target } from "../request-info.ts";
import { resourceNamed } from "../resources.ts";
import { attach } from "./attach.ts";
import { openCommandStreams } from "./command-streams.ts";
import { runCommand } from "./exec.ts";
import { portForwardOffer, servePortForward } from "./port-forward.ts";
import { acceptUpgrade, type UpgradeCall, type UpgradeKinds } from "./upgrade.ts";

/** The kubelet's server speaks v4 at most by SPDY; v5, with its CLOSE, came with WebSocket. */
const commandOffer = {
  websocket: ["v5.channel.k8s.io", "v4.channel.k8s.io"],
  spdy: ["v4.channel.k8s.io"],
};

/** Serves exec, attach and port-forward. @throws ApiError when it is refused, before anything was sent */
export function serveUpgrade(call: UpgradeCall, api: Api, target: Target, kinds: UpgradeKinds): void {
  if (target.subresource === "portforward") {
    const upgrade = acceptUpgrade(call, portForwardOffer, kinds);
    api.countStream("portforward", true);
    servePortForward(upgrade, api.ports, () => api.countStream("portforward", false));
    return;
  }
  serveCommand(call, api, target, kinds);
}

function serveCommand(call: UpgradeCall, api: Api, target: Target, kinds: UpgradeKinds): void {
  const { query } = call;
  const { store, pods } = api.cluster;
  const pod = store.get(resourceNamed("pods"), target.key);
  const container = query.get("container") ?? "";
  if (containerOf(pod, container) === undefined) {
    throw badRequest(`container ${container} is not valid for pod ${target.name}`);
  }
  const command = query.getAll("command");
  const kind = target.subresource === "exec" ? "exec" : "attach";
  if (kind === "exec" && command.length === 0)
    throw badRequest("you must specify at least one command for the container");
  const wanted = {
    stdin: isTrue(query.get("stdin")),
    stdout: isTrue(query.get("stdout")),
    stderr: isTrue(query.get("stderr")),
    tty: isTrue(query.get("tty")),
  };
  if (!wanted.stdin && !wanted.stdout && !wanted.stderr) {
    throw badRequest("you must specify at least 1 of stdin, stdout, stderr");
  }
  const upgrade = acceptUpgrade(call, commandOffer, kinds);
  let end = (): void => {};
  api.countStream(kind, true);
  openCommandStreams(
    upgrade,
    wanted,
    (streams) => {
      const request = { command, tty: wanted.tty, podName: target.name, root: pods.rootOf(target.key) };
      end = kind === "exec" ? runCommand(request, streams) : attach(pods.logOf(target.key), streams);
    },
    () => {
      api.countStream(kind, false);
      end();
    },
  );
}
