import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

// Taste as a test: each failure names the file and the mend. The arrows are those of docs/architecture.md.

const root = fileURLToPath(new URL("../..", import.meta.url));
const src = join(root, "src");

/** Room → the rooms it may import. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  events: [],
  kubernetes: [],
  wire: [],
  socket: [],
  pki: ["model"],
  policy: ["model", "events", "kubernetes"],
  upstream: ["model", "events", "wire", "socket"],
  observe: ["model", "events", "kubernetes"],
  formats: ["model", "kubernetes", "pki"],
  sandbox: ["kubernetes", "pki"],
  probe: ["model", "wire", "socket", "pki", "kubernetes"],
  gate: ["model", "events", "wire", "socket", "kubernetes", "upstream", "policy"],
  deploy: ["model", "probe"],
  serve: [
    "gate",
    "formats",
    "observe",
    "upstream",
    "policy",
    "pki",
    "kubernetes",
    "wire",
    "socket",
    "events",
    "model",
  ],
  tasks: [
    "serve",
    "deploy",
    "gate",
    "probe",
    "sandbox",
    "formats",
    "observe",
    "upstream",
    "policy",
    "pki",
    "kubernetes",
    "wire",
    "socket",
    "events",
    "model",
  ],
  cli: ["tasks", "formats", "pki", "model"],
};

const LINES_MAX = 450;

interface Source {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  /** Absolute paths of imported project files. */
  readonly imports: readonly string[];
  readonly modules: readonly string[];
}

const sources = readSources();

test("imports only go down, along the arrows of the architecture", () => {
  const wrong: string[] = [];
  for (const source of production()) {
    for (const target of source.imports) {
      const room = roomOf(target);
      if (room === source.room && (room !== "formats" || formatOf(target) === formatOf(source.path)))
        continue;
      if (ARROWS[source.room]?.includes(room) !== true) {
        wrong.push(
          `${show(source.path)} imports ${show(target)}: ${source.room} may import ${ARROWS[source.room]?.join(", ") || "nothing"}`,
        );
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test("no circle of imports", () => {
  const graph = new Map(production().map((source) => [source.path, source.imports]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].map(show).join(" → "));
      return;
    }
    if (done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  assert.deepEqual(circles, []);
});

test("no dead file: everything is imported, or is the command's entry", () => {
  const used = new Set(sources.flatMap((source) => source.imports));
  const dead = production()
    .map((source) => source.path)
    .filter((path) => !used.has(path) && !path.endsWith(join("cli", "main.ts")));
  assert.deepEqual(dead.map(show), []);
});

test("every room opens with what it is for", () => {
  const silent = [...new Set(production().map((source) => source.room))].filter((room) => {
    if (room === "cli" || room === "formats") return false;
    const index = sources.find((source) => source.path === join(src, room, "index.ts"));
    return index === undefined || !index.text.startsWith("/**");
  });
  assert.deepEqual(silent, []);
});

test("no file is longer than can be read in one sitting", () => {
  const long = production()
    .filter((source) => source.text.trimEnd().split("\n").length > LINES_MAX)
    .map((source) => `${show(source.path)}: split it`);
  assert.deepEqual(long, []);
});

test("the data path uses no http modules; only the sandbox does", () => {
  const wrong = production()
    .filter((source) => !["sandbox", "tasks"].includes(source.room))
    .filter((source) => source.modules.some((name) => /^(node:)?(http|https|http2)$/.test(name)))
    .map((source) => show(source.path));
  assert.deepEqual(wrong, []);
});

test("below serve only pki opens files, and nobody reads the environment", () => {
  const free = ["pki", "serve", "tasks", "cli", "deploy", "sandbox"];
  const wrong: string[] = [];
  for (const source of production().filter(({ room }) => !free.includes(room))) {
    if (source.modules.some((name) => /^(node:)?fs(\/promises)?$/.test(name)))
      wrong.push(`${show(source.path)} opens files`);
    if (/\bprocess\.(env|argv)\b/.test(source.text)) wrong.push(`${show(source.path)} reads the environment`);
  }
  assert.deepEqual(wrong, []);
});

test("only the commands print", () => {
  const wrong = production()
    .filter((source) => source.room !== "cli")
    .filter((source) => /\bconsole\.|\bprocess\.(stdout|stderr)\b/.test(source.text))
    .map((source) => show(source.path));
  assert.deepEqual(wrong, []);
});

function production(): readonly Source[] {
  return sources.filter(
    ({ path }) => !/(\.test|[/\\]testing)\.ts$/.test(path) && !path.includes(`${sep}testing${sep}`),
  );
}

function readSources(): readonly Source[] {
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(src, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => {
      const text = readFileSync(path, "utf8");
      const names = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map(
        (match) => match[1] ?? "",
      );
      return {
        path,
        room: roomOf(path),
        text,
        imports: names.filter((name) => name.startsWith(".")).map((name) => join(dirname(path), name)),
        modules: names.filter((name) => !name.startsWith(".")),
      };
    });
}

function roomOf(path: string): string {
  return relative(src, path).split(sep)[0] ?? "";
}

function formatOf(path: string): string {
  return relative(src, path).split(sep)[1] ?? "";
}

function show(path: string): string {
  return relative(root, path);
}
