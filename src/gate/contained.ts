import type { ConnectionHandler } from "../socket/index.ts";

/**
 * Hands on what a leg tells. What is thrown behind it is a mistake of ours: in a socket's callback it would end the
 * process and with it everybody's lanes, so it goes to `failed`, which ends this one.
 */
export function contained(handler: ConnectionHandler, failed: (error: unknown) => void): ConnectionHandler {
  return {
    data(chunk) {
      try {
        handler.data(chunk);
      } catch (error) {
        failed(error);
      }
    },
    drain() {
      try {
        handler.drain();
      } catch (error) {
        failed(error);
      }
    },
    end() {
      try {
        handler.end();
      } catch (error) {
        failed(error);
      }
    },
    closed(code) {
      try {
        handler.closed(code);
      } catch (error) {
        failed(error);
      }
    },
  };
}
