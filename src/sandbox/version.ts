/** A dispatching kubectl picks itself by this, so it is the version whose behaviour the sandbox follows. */
export const gitVersion = "v1.32.5+postern-sandbox";

/** `/version` */
export const version = {
  major: "1",
  minor: "32",
  gitVersion,
  gitCommit: "0000000000000000000000000000000000000000",
  gitTreeState: "clean",
  buildDate: "2025-01-01T00:00:00Z",
  goVersion: "none",
  compiler: "none",
  platform: "linux/amd64",
};
