import type { KubectlCase } from "./kubectl-case.ts";

export const reading: readonly KubectlCase[] = [
  { name: "version", args: ["version"], stdout: /Server Version: .*v1\.32\.5\+postern-sandbox/ },
  { name: "api-versions", args: ["api-versions"], stdout: /apps\/v1\n(.*\n)*v1\n/ },
  { name: "api-resources", args: ["api-resources"], stdout: /^configmaps +cm +v1 +true +ConfigMap$/m },
  { name: "cluster-info", args: ["cluster-info"], stdout: /running at .*<server>/ },
  {
    name: "get namespaces",
    args: ["get", "namespaces"],
    stdout:
      "NAME  STATUS  AGE\ndefault  Active  <age>\nkube-node-lease  Active  <age>\nkube-public  Active  <age>\nkube-system  Active  <age>\n",
  },
  {
    name: "get pods",
    args: ["get", "pods"],
    stdout: "NAME  READY  STATUS  RESTARTS  AGE\nweb  1/1  Running  0  <age>\n",
  },
  {
    name: "get pods -o wide",
    args: ["get", "pods", "-o", "wide"],
    stdout: /^web {2}1\/1 {2}Running {2}0 {2}<age> {2}<pod address> {2}sandbox-node {2}<none> {2}<none>$/m,
  },
  {
    name: "get pod -o yaml",
    args: ["get", "pod", "web", "-o", "yaml"],
    stdout: /^kind: Pod$[\s\S]*phase: Running/m,
  },
  { name: "get pod -o json", args: ["get", "pod", "web", "-o", "json"], stdout: /"kind": "Pod"/ },
  {
    name: "get -o jsonpath",
    args: ["get", "pod", "web", "-o", "jsonpath={.status.phase}"],
    stdout: "Running",
  },
  {
    name: "get by label",
    args: ["get", "pods", "-l", "app in (web),!missing", "-o", "name"],
    stdout: "pod/web\n",
  },
  {
    name: "get by a label nobody has",
    args: ["get", "pods", "-l", "app=nobody"],
    stderr: /No resources found/,
  },
  {
    name: "get by field",
    args: ["get", "pods", "-A", "--field-selector", "metadata.name=web,status.phase=Running", "-o", "name"],
    stdout: "pod/web\n",
  },
  {
    name: "get by a field that cannot be selected by",
    args: ["get", "pods", "--field-selector", "spec.color=red"],
    code: 1,
    stderr: /\(BadRequest\).*field label not supported: spec\.color/,
  },
  {
    name: "get services",
    args: ["get", "services"],
    stdout: /^kubernetes {2}ClusterIP {2}10\.96\.[\d.]+ {2}<none> {2}443\/TCP {2}<age>$/m,
  },
  {
    name: "get configmaps, page by page",
    args: ["get", "cm", "-A", "--chunk-size=2"],
    stdout: /cluster-info/,
  },
  { name: "get all", args: ["get", "all"], stdout: /^pod\/web[\s\S]*^service\/web/m },
  {
    name: "get a grouped kind",
    args: ["get", "leases.coordination.k8s.io", "-A"],
    stdout: /kube-node-lease/,
  },
  {
    name: "get what is not there",
    args: ["get", "pod", "nobody"],
    code: 1,
    stderr: 'Error from server (NotFound): pods "nobody" not found\n',
  },
  {
    name: "get a kind that is not there",
    args: ["get", "unicorns"],
    code: 1,
    stderr: /the server doesn't have a resource type "unicorns"/,
  },
  { name: "get --raw", args: ["get", "--raw", "/readyz"], stdout: "ok" },
  {
    name: "get --raw of a path that is not there",
    args: ["get", "--raw", "/nowhere"],
    code: 1,
    stderr: /\(NotFound\): the server could not find the requested resource/,
  },
  {
    name: "get --raw through a pod's proxy",
    args: ["get", "--raw", "/api/v1/namespaces/default/pods/web/proxy/page"],
    stdout: "hello from the sandbox: GET /page\n",
  },
  {
    name: "describe pod",
    args: ["describe", "pod", "web"],
    stdout: /Ready: +True[\s\S]*Started {2}.*container web/,
  },
  { name: "describe node", args: ["describe", "node", "sandbox-node"], stdout: /Kubelet Version: +v1\.32/ },
  { name: "explain", args: ["explain", "pod.spec.containers.image"], stdout: /Container image name/ },
  { name: "explain a kind", args: ["explain", "configmap"], stdout: /holds configuration data[\s\S]*data/ },
  {
    name: "top without metrics",
    args: ["top", "pod"],
    code: 1,
    stderr: "error: Metrics API not available\n",
  },
];
