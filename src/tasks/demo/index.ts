/**
 * The demo: stage.ts sets everything up (a private CA, the sandbox, a gate that runs a haproxy.cfg, a kubeconfig),
 * checks.ts does each thing once for real, by hands.ts or by the kubectl of the machine (kubectl-hands.ts).
 */
export { type Checked, selfCheck } from "./checks.ts";
export { openStage, type Stage } from "./stage.ts";
