import { type KubectlCase, onlyNew } from "./kubectl-case.ts";

const configMap = (data: string): string => `apiVersion: v1
kind: ConfigMap
metadata:
  name: demo
  labels: {from: table}
data: ${data}
`;

export const writing: readonly KubectlCase[] = [
  {
    name: "apply, as a trial",
    args: ["apply", "--dry-run=server", "-f", "-"],
    stdin: configMap("{a: one}"),
    stdout: "configmap/demo created (server dry run)\n",
  },
  {
    name: "apply makes",
    args: ["apply", "-f", "-"],
    stdin: configMap("{a: one, b: two}"),
    stdout: "configmap/demo created\n",
  },
  {
    name: "apply changes",
    args: ["apply", "-f", "-"],
    stdin: configMap("{a: three}"),
    stdout: "configmap/demo configured\n",
  },
  {
    name: "apply leaves as it is",
    args: ["apply", "-f", "-"],
    stdin: configMap("{a: three}"),
    stdout: "configmap/demo unchanged\n",
  },
  {
    name: "apply has removed",
    args: ["get", "cm", "demo", "-o", "jsonpath={.data}"],
    stdout: '{"a":"three"}',
  },
  {
    name: "patch by merge",
    args: ["patch", "cm", "demo", "--type=merge", "-p", '{"data":{"b":"merge"}}'],
    stdout: "configmap/demo patched\n",
  },
  {
    name: "patch by operations",
    args: ["patch", "cm", "demo", "--type=json", "-p", '[{"op":"replace","path":"/data/b","value":"json"}]'],
    stdout: "configmap/demo patched\n",
  },
  {
    name: "patch by operations that do not fit",
    args: ["patch", "cm", "demo", "--type=json", "-p", '[{"op":"remove","path":"/data/none"}]'],
    code: 1,
    stderr: /the server rejected our request|is invalid/,
  },
  {
    name: "edit",
    args: ["edit", "cm", "demo"],
    env: { KUBE_EDITOR: "sed -i s/three/edited/" },
    stdout: "configmap/demo edited\n",
  },
  {
    name: "replace with an old version",
    args: ["replace", "-f", "-"],
    stdin: configMap("{a: late}").replace("name: demo", 'name: demo\n  resourceVersion: "1"'),
    code: 1,
    stderr: /\(Conflict\).*the object has been modified/,
  },
  {
    name: "replace",
    args: ["replace", "-f", "-"],
    stdin: configMap("{a: new}"),
    stdout: "configmap/demo replaced\n",
  },
  {
    name: "create what is there",
    args: ["create", "-f", "-"],
    stdin: configMap("{a: again}"),
    code: 1,
    stderr: /\(AlreadyExists\).*configmaps "demo" already exists/,
  },
  { name: "label", args: ["label", "cm", "demo", "size=big"], stdout: "configmap/demo labeled\n" },
  { name: "delete", args: ["delete", "cm", "demo"], stdout: /^configmap "demo" deleted/ },
  {
    name: "apply on the server makes",
    args: ["apply", "--server-side", "-f", "-"],
    stdin: configMap("{a: one, b: two}"),
    stdout: "configmap/demo serverside-applied\n",
  },
  {
    name: "apply on the server changes",
    args: ["apply", "--server-side", "-f", "-"],
    stdin: configMap("{a: other}"),
    stdout: "configmap/demo serverside-applied\n",
  },
  {
    name: "apply on the server has removed",
    args: ["get", "cm", "demo", "-o", "jsonpath={.data}"],
    stdout: '{"a":"other"}',
  },
  {
    name: "delete by label",
    args: ["delete", "cm", "-l", "from=table"],
    stdout: /^configmap "demo" deleted/,
  },
  {
    name: "apply with an unknown field",
    args: ["apply", "-f", "-"],
    stdin: configMap("{a: one}").replace("\ndata:", "\ndat:"),
    code: 1,
    stderr: /unknown field "dat"/,
  },
  {
    name: "create with a bad name",
    args: ["create", "cm", "Not_Good"],
    code: 1,
    stderr: /ConfigMap "Not_Good" is invalid: metadata\.name: Invalid value/,
  },
  { name: "create namespace", args: ["create", "namespace", "demo"], stdout: "namespace/demo created\n" },
  {
    name: "create secret",
    args: ["create", "secret", "generic", "demo", "--from-literal=word=open", "-n", "demo"],
    stdout: "secret/demo created\n",
  },
  {
    name: "create configmap",
    args: ["create", "cm", "demo", "--from-literal=a=b", "-n", "demo"],
    stdout: "configmap/demo created\n",
  },
  {
    name: "create serviceaccount",
    args: ["create", "sa", "demo", "-n", "demo"],
    stdout: "serviceaccount/demo created\n",
  },
  {
    name: "create deployment",
    args: ["create", "deployment", "demo", "--image=example/main:1", "-n", "demo"],
    stdout: "deployment.apps/demo created\n",
  },
  {
    name: "get the deployment",
    args: ["get", "deploy", "-n", "demo"],
    stdout: /^demo {2}0\/1 {2}0 {2}0 {2}<age>$/m,
  },
  {
    name: "get secret",
    args: ["get", "secret", "demo", "-n", "demo", "-o", "jsonpath={.data.word}"],
    stdout: "b3Blbg==",
  },
  {
    name: "create token",
    versions: onlyNew,
    args: ["create", "token", "demo", "-n", "demo"],
    stdout: /^<token>\n?$/,
  },
  { name: "delete namespace", args: ["delete", "namespace", "demo"], stdout: 'namespace "demo" deleted\n' },
  {
    name: "create in a namespace that is not there",
    args: ["create", "cm", "demo", "-n", "demo"],
    code: 1,
    stderr: /namespaces "demo" not found/,
  },
];
