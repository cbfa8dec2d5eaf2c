import { Command } from "commander";
import { formatDiagnostic, hasErrors, inFileOrder } from "../model/index.ts";
import { checkSurroundings, configure } from "../tasks/index.ts";

const EXAMPLES = `
Examples:
  postern check -f haproxy.cfg
  postern check -f haproxy.cfg --output json | jq '.problems[].message'

Exit codes: 0 no errors (warnings only), 1 errors, 2 usage.`;

export function checkCommand(): Command {
  return new Command("check")
    .description(
      "Prints every problem of a configuration file: file:line:column, what is wrong, what to write instead.",
    )
    .requiredOption("-f, --file <file>", "haproxy.cfg to check")
    .option("--output <format>", "text or json", "text")
    .addHelpText("after", EXAMPLES)
    .action(async (flags: { file: string; output: string }, command: Command) => {
      if (flags.output !== "text" && flags.output !== "json") {
        command.error(`error: --output takes "text" or "json", not "${flags.output}"`);
      }
      const { problems: ofFile, ready } = configure(flags.file, process.env);
      const ofMachine = ready === undefined ? [] : await checkSurroundings(ready.configuration);
      const problems = inFileOrder([...ofFile, ...ofMachine]);
      const failed = hasErrors(problems);
      if (flags.output === "json")
        process.stdout.write(`${JSON.stringify({ valid: !failed, problems }, null, 2)}\n`);
      else process.stdout.write(summary(flags.file, problems.map(formatDiagnostic), failed));
      process.exitCode = failed ? 1 : 0;
    });
}

function summary(file: string, lines: readonly string[], failed: boolean): string {
  const verdict = failed ? `${file} cannot be used` : `${file} is valid`;
  const count = lines.length === 0 ? "" : `: ${lines.length} ${lines.length === 1 ? "problem" : "problems"}`;
  return [...lines, `${verdict}${count}`, ""].join("\n");
}
