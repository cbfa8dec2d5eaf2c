/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, `RSA PRIVATE KEY` … */
  readonly label: string;
  /** The block from its BEGIN to its END line, with a line feed. */
  readonly text: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** Every complete block, in the order of the file; text between blocks is nobody's business (RFC 7468 §2). */
export function pemBlocks(text: string): PemBlock[] {
  return Array.from(text.matchAll(BLOCK), ([block, label]) => ({ label: label!, text: `${block}\n` }));
}

export function certificateBlocks(blocks: readonly PemBlock[]): string[] {
  return blocks
    .filter(({ label }) => label === "CERTIFICATE" || label === "X509 CERTIFICATE")
    .map(({ text }) => text.replaceAll("X509 CERTIFICATE", "CERTIFICATE"));
}

/** The first private key, as HAProxy takes it. */
export function keyBlock(blocks: readonly PemBlock[]): PemBlock | undefined {
  return blocks.find(({ label }) => label.endsWith("PRIVATE KEY"));
}

/** PKCS#8 says it in the label, the older forms in a header (RFC 1421 §4.6.1.1). */
export function isEncrypted(key: PemBlock): boolean {
  return key.label === "ENCRYPTED PRIVATE KEY" || /^Proc-Type:\s*4,\s*ENCRYPTED/m.test(key.text);
}

/** Why a text gives no block, in words. */
export function whyNoPem(text: string): string {
  if (text.trim() === "") return "it is empty";
  if (text.includes("-----BEGIN ")) return "it is cut off or damaged: a BEGIN line without its END line";
  if (text.startsWith("\x30\x82") || text.startsWith("\x30\x83")) {
    return "it is binary (DER or PKCS#12), PEM is needed";
  }
  return 'it is not PEM: no line "-----BEGIN CERTIFICATE-----"';
}
