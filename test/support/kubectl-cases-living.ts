import { type KubectlCase, withoutHttp2 } from "./kubectl-case.ts";

const pod = `apiVersion: v1
kind: Pod
metadata: {name: demo}
spec:
  containers:
  - {name: main, image: example/main:1}
`;

export const living: readonly KubectlCase[] = [
  { name: "apply a pod", args: ["apply", "-f", "-"], stdin: pod, stdout: "pod/demo created\n" },
  {
    name: "wait until it is ready",
    args: ["wait", "--for=condition=Ready", "pod/demo", "--timeout=20s"],
    stdout: "pod/demo condition met\n",
  },
  {
    name: "patch strategically, by container name",
    args: [
      "patch",
      "pod",
      "demo",
      "-p",
      '{"spec":{"containers":[{"name":"main","image":"example/main:2"}]}}',
    ],
    stdout: "pod/demo patched\n",
  },
  {
    name: "the patch kept the rest of the container",
    args: ["get", "pod", "demo", "-o", "jsonpath={.spec.containers[*]['name','image','imagePullPolicy']}"],
    stdout: "main example/main:2 IfNotPresent",
  },
  { name: "annotate", args: ["annotate", "pod", "demo", "note=kept"], stdout: "pod/demo annotated\n" },
  {
    name: "delete without waiting",
    args: ["delete", "pod", "demo", "--wait=false", "--grace-period=2"],
    stdout: /^pod "demo" deleted/,
  },
  {
    name: "wait until it is gone",
    args: ["wait", "--for=delete", "pod/demo", "--timeout=20s"],
    stdout: "pod/demo condition met\n",
  },
  {
    name: "run",
    args: ["run", "ran", "--image=example/main:1", "--restart=Never"],
    stdout: "pod/ran created\n",
  },
  { name: "delete and wait", args: ["delete", "pod", "ran"], stdout: /^pod "ran" deleted/ },
  ...[{}, withoutHttp2].map(
    (env, index): KubectlCase => ({
      name: index === 0 ? "get -w" : "get -w by HTTP/1.1",
      args: ["get", "pods", "-w"],
      env,
      endless: true,
      steps: [
        { after: /^web /m, runs: ["annotate", "pod", "web", "watched=yes"] },
        { after: /^web [\s\S]*^web /m, runs: ["annotate", "pod", "web", "watched-"] },
        { after: /^web [\s\S]*^web [\s\S]*^web .*\n/m },
      ],
      stdout:
        "NAME  READY  STATUS  RESTARTS  AGE\nweb  1/1  Running  0  <age>\nweb  1/1  Running  0  <age>\nweb  1/1  Running  0  <age>\n",
    }),
  ),
  { name: "logs", args: ["logs", "web", "--tail=2"], stdout: "still here, <n>\nstill here, <n>\n" },
  {
    name: "logs with times",
    args: ["logs", "web", "--tail=1", "--timestamps"],
    stdout: "<time> still here, <n>\n",
  },
  {
    name: "logs of a container that is not there",
    args: ["logs", "web", "-c", "other"],
    code: 1,
    stderr: /container other is not valid for pod web/,
  },
  ...[{}, withoutHttp2].map(
    (env, index): KubectlCase => ({
      name: index === 0 ? "logs -f" : "logs -f by HTTP/1.1",
      args: ["logs", "-f", "web", "--tail=1"],
      env,
      endless: true,
      steps: [{ after: /(.+\n){3}/ }],
      stdout: "still here, <n>\n".repeat(3),
    }),
  ),
];
