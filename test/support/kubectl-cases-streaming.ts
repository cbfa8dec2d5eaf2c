import { type KubectlCase, onlyNew, withoutHttp2, withoutWebSocket } from "./kubectl-case.ts";

/** Every way of streaming that a kubectl knows: its own, and the new one's old. */
export const streaming: readonly KubectlCase[] = [
  ...commands("", {}),
  ...commands(" by SPDY", withoutWebSocket).map((given) => ({ ...given, versions: onlyNew })),
  ...commands(" with HTTP/2 off", withoutHttp2).slice(0, 2),
];

function commands(how: string, env: Readonly<Record<string, string>>): readonly KubectlCase[] {
  return [
    {
      name: `exec tells outputs and exit code${how}`,
      args: ["exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 3"],
      env,
      code: 3,
      stdout: "out\n",
      stderr: /err\ncommand terminated with exit code 3\n$/,
    },
    {
      name: `exec -i carries input to its end${how}`,
      args: ["exec", "-i", "web", "--", "wc", "-c"],
      env,
      stdin: "0123456789".repeat(100_000),
      stdout: "1000000\n",
    },
    {
      name: `exec of a program that is not there${how}`,
      args: ["exec", "web", "--", "no-such-program"],
      env,
      code: 1,
      stderr: /executable file not found in \$PATH/,
    },
    {
      name: `exec in a pod that is not there${how}`,
      args: ["exec", "nobody", "--", "true"],
      env,
      code: 1,
      stderr: 'Error from server (NotFound): pods "nobody" not found\n',
    },
    {
      name: `exec -it gives a terminal of the client's size${how}`,
      args: ["exec", "-it", "web", "--", "sh", "-c", "stty size; exit 7"],
      env,
      terminal: { columns: 97, rows: 31 },
      code: 7,
      stdout: /^31 97\ncommand terminated with exit code 7\n$/,
    },
    {
      name: `exec -it is a shell that answers${how}`,
      args: ["exec", "-it", "web", "--", "sh"],
      env,
      terminal: { columns: 80, rows: 24 },
      steps: [
        { after: /[#$] $/, types: "echo answer: $((40 + 2))\n" },
        { after: /^answer: 42\s+.*[#$] $/m, types: "exit 5\n" },
      ],
      code: 5,
      stdout: /answer: 42[\s\S]*command terminated with exit code 5/,
    },
    {
      name: `attach shows what the pod writes${how}`,
      args: ["attach", "web"],
      env,
      endless: true,
      steps: [{ after: /still here, \d+\n/ }],
      stdout: /still here, <n>\n$/,
    },
    {
      name: `cp into the pod${how}`,
      args: ["cp", "sent.txt", "web:/tmp/sent.txt"],
      env,
      files: { "sent.txt": "sent\n" },
    },
    {
      name: `cp out of the pod${how}`,
      args: ["cp", "web:/tmp/sent.txt", "received.txt"],
      env,
      leaves: ["received.txt"],
      brings: ["sent\n"],
    },
    {
      name: `the copied file is removed${how}`,
      args: ["exec", "web", "--", "rm", "/tmp/sent.txt"],
      env,
    },
    {
      name: `port-forward carries several connections at once${how}`,
      args: ["port-forward", "pod/web", ":80", "--address=127.0.0.1"],
      env,
      endless: true,
      steps: [
        {
          after: /Forwarding from 127\.0\.0\.1:(?<port>\d+) -> 80\n/,
          sends: ["/one", "/two", "/three"].map((path) => `GET ${path} HTTP/1.0\r\n\r\n`),
        },
      ],
      brings: [/hello from the sandbox: GET \/one/, /GET \/two/, /GET \/three/],
    },
    {
      name: `port-forward finds the pod of a service${how}`,
      args: ["port-forward", "svc/web", ":80", "--address=127.0.0.1"],
      env,
      endless: true,
      steps: [
        {
          after: /Forwarding from 127\.0\.0\.1:(?<port>\d+) -> 80\n/,
          sends: ["GET / HTTP/1.0\r\nHost: x\r\n\r\n"],
        },
      ],
      brings: [/hello from the sandbox: GET \//],
    },
    {
      name: `port-forward carries both ways and keeps half-close${how}`,
      args: ["port-forward", "pod/web", ":7", "--address=127.0.0.1"],
      env,
      endless: true,
      steps: [
        {
          after: /Forwarding from 127\.0\.0\.1:(?<port>\d+) -> 7\n/,
          sends: ["short", "long ".repeat(100_000)],
        },
      ],
      brings: ["short", "long ".repeat(100_000)],
    },
  ];
}
