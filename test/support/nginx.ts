import { mkdir } from "node:fs/promises";
import type { Folder } from "./folder.ts";
import { freePort, type Running, start, untilListening } from "./process.ts";

/** Real nginx with h2 over TLS: any path answers `hello`, `/big` with 300,000 bytes. */
export async function startNginx(
  folder: Folder,
  secret: { certificate: string; key: string },
): Promise<Running & { readonly port: number }> {
  const port = await freePort();
  await mkdir(folder.file("nginx"), { recursive: true });
  await folder.write("big", "n".repeat(300_000));
  const file = await folder.write(
    "nginx.conf",
    `daemon off; master_process off; error_log stderr; pid ${folder.file("nginx/pid")};
events {}
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder.file("nginx")};`).join(" ")}
  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_certificate ${secret.certificate};
    ssl_certificate_key ${secret.key};
    location / { return 200 "hello\\n"; }
    location = /big { alias ${folder.file("big")}; }
  }
}
`,
  );
  const running = start("nginx", ["-p", folder.path, "-c", file]);
  await untilListening(port);
  return { ...running, port };
}
