import { request } from "node:http";
import { type Call, readBody } from "../call.ts";
import { serviceUnavailable } from "../errors.ts";
import type { Target } from "../request-info.ts";

/** `…/pods/NAME[:PORT]/proxy/PATH`: the pod's own HTTP server, through the API. */
export async function servePodProxy(
  call: Call,
  target: Target,
  ports: ReadonlyMap<number, number>,
): Promise<void> {
  const local = ports.get(80);
  if (local === undefined) throw serviceUnavailable("no endpoints available");
  const body = await readBody(call);
  const path = `/${target.rest.map(encodeURIComponent).join("/")}`;
  const { promise, resolve, reject } = promiseParts();
  const outgoing = request(
    { host: "127.0.0.1", port: local, method: call.method, path, agent: false },
    (answer) => {
      call.response.writeHead(answer.statusCode ?? 502, {
        "content-type": answer.headers["content-type"] ?? "text/plain",
      });
      answer.on("data", (chunk: Buffer) => call.response.write(chunk));
      answer.on("end", () => {
        call.response.end();
        resolve();
      });
    },
  );
  outgoing.on("error", (error) =>
    reject(serviceUnavailable(`error trying to reach service: ${error.message}`)),
  );
  outgoing.end(body);
  return promise;
}

function promiseParts(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve = (): void => {};
  let reject = (_error: Error): void => {};
  const promise = new Promise<void>((onDone, onError) => {
    resolve = onDone;
    reject = onError;
  });
  return { promise, resolve, reject };
}
