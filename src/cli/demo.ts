import { Command } from "commander";
import { openStage, runUntilSignal, type Stage, selfCheck, TaskFailure } from "../tasks/index.ts";
import { UserError } from "./outcome.ts";
import { coloured, print, say } from "./terminal.ts";

const EXAMPLES = `
Examples:
  postern demo                   runs until Ctrl-C; a second terminal can use the kubeconfig
  postern demo --once            ends after the self-check: exit 0 when all of it passed, else 1
  postern demo --dir /tmp/demo   everything goes there, the kubeconfig as /tmp/demo/kubeconfig`;

export function demoCommand(): Command {
  return new Command("demo")
    .description(
      "Starts a small Kubernetes API, a gate in front of it and a kubeconfig, all on this machine, and checks itself.",
    )
    .option("--once", "end after the self-check", false)
    .option("--dir <dir>", "where everything goes (a temporary folder unless given, removed at the end)")
    .addHelpText("after", EXAMPLES)
    .action(async (flags: { once: boolean; dir?: string }) => demo(flags.once, flags.dir));
}

async function demo(once: boolean, folder: string | undefined): Promise<void> {
  const stage = await openStage(folder).catch((error: unknown) => {
    throw error instanceof TaskFailure ? new UserError(error.message, error.hint) : error;
  });
  try {
    let failed = 0;
    for await (const { passed, text } of selfCheck(stage, process.env)) {
      print(`${passed ? coloured("✓", "green") : coloured("✗", "red")} ${text}`);
      if (!passed) failed += 1;
    }
    if (failed > 0) {
      say(`${failed} of the checks failed. What the gate wrote (${stage.files.log}):\n${stage.readLog()}`);
      process.exitCode = 1;
    }
    if (!once) {
      print(toTry(stage));
      await runUntilSignal(stage.engine, 0, say);
    }
  } finally {
    await stage.close();
  }
}

function toTry(stage: Stage): string {
  const { files, gate } = stage;
  return `
A gate runs at ${gate.url} from ${files.configuration}; its log is ${files.log}.
Try it from another terminal:

  export KUBECONFIG=${files.kubeconfig}
  kubectl get pods
  kubectl get pods -w
  kubectl exec -it web -- sh
  kubectl logs -f web
  curl --cacert ${stage.folder}/ca.crt ${gate.url}

Ctrl-C ends it.`;
}
