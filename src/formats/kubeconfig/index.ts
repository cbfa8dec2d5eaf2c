/**
 * formats/kubeconfig/: what the people outside are given (client-go tools/clientcmd/api/v1/types.go). Pure text.
 * Start at entry.ts (one cluster, user and context as plain objects); write.ts makes a file of its own, merge.ts puts
 * them into one that is there without touching what it holds.
 * Knows nothing of files, flags, and of where a token came from. Nothing it says quotes a file: it holds secrets.
 */
export * from "./entry.ts";
export * from "./merge.ts";
export * from "./read.ts";
export * from "./write.ts";
