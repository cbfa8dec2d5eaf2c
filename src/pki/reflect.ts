/**
 * @peculiar/x509 finds its algorithms through tsyringe, which refuses to load unless `Reflect` can be asked for metadata.
 * Nothing it loads ever defines any, so "there is none" is the whole answer. Where a real polyfill is present it stays.
 */
if (!("getMetadata" in Reflect)) {
  Object.assign(Reflect, { getMetadata: () => undefined, getOwnMetadata: () => undefined });
}

export {};
