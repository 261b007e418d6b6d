// The exporter as a process, and databases with Cinder's tables for it to read.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.HEARTBEAT_TEST_PROGRAM ?? join(root, "target/debug/openstack-heartbeat-exporter");

// The tables as src/cli/demo/cinder.rs has them.
const schema = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
source = open(sys.argv[2]).read()
db.executescript(source.split('const SCHEMA: &str = "')[1].split('";')[0].replace('\\\\"', '"'))
`;

const addService = `
import sqlite3, sys, json
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN")
for row in json.load(sys.stdin):
    age = row.pop("age", 0)
    row = {"binary": "cinder-volume", "host": "block1", "report_count": 7, "disabled": 0, "deleted": 0,
           "availability_zone": "nova", **row}
    names = ", ".join(f'"{name}"' for name in row)
    stamp = f"strftime('%Y-%m-%d %H:%M:%f', 'now', '{-age:+} seconds')"
    marks = ", ".join("?" for _ in row)
    db.execute(f"INSERT INTO services ({names}, created_at, updated_at) VALUES ({marks}, {stamp}, {stamp})",
               list(row.values()))
db.execute("COMMIT")
`;

function python(script, args, input = "") {
  const done = spawnSync("python3", ["-c", script, ...args], { input, encoding: "utf8" });
  if (done.status !== 0) throw new Error(done.stderr);
}

// A file of SQLite with Cinder's tables.
export class Database {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "heartbeat-page-"));
    this.file = join(this.folder, "cinder.sqlite");
    python(schema, [this.file, join(root, "src/cli/demo/cinder.rs")]);
  }

  // Adds services; `age` is that of the last heartbeat, in seconds.
  add(services) {
    python(addService, [this.file], JSON.stringify(services));
  }

  execute(statement) {
    python("import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).execute(sys.argv[2])", [
      this.file,
      statement,
    ]);
  }

  get url() {
    return `sqlite:///${this.file}`;
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// An exporter that serves on a free port.
export class Exporter {
  static demo(...args) {
    return Exporter.start(["demo", ...args]);
  }

  static serve(url, ...args) {
    const settings = ["serve", "--poll.interval=1s", ...args];
    return Exporter.start(settings, { OPENSTACK_HEARTBEAT_DATABASE_URL: url });
  }

  static async start(args, env = {}) {
    const exporter = new Exporter();
    exporter.args = args;
    exporter.env = env;
    await exporter.spawn("127.0.0.1:0");
    return exporter;
  }

  async spawn(address) {
    const child = spawn(program, [...this.args, `--web.listen-address=${address}`], {
      env: { PATH: process.env.PATH, ...this.env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.child = child;
    this.log = "";
    await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", () => reject(new Error(this.log)));
      child.stderr.on("data", (data) => {
        this.log += data;
        const listening = /listening.*?(127\.0\.0\.1:\d+)/.exec(this.log);
        if (listening) resolve((this.address = listening[1]));
      });
    });
  }

  get url() {
    return `http://${this.address}/`;
  }

  async stop() {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.child.on("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
  }

  // Starts again at the same address.
  restart() {
    return this.spawn(this.address);
  }

  // Waits until /api/v1/services says what it should.
  async waitFor(what, condition, seconds = 90) {
    const end = Date.now() + seconds * 1000;
    let seen;
    while (Date.now() < end) {
      const answer = await fetch(`${this.url}api/v1/services`);
      seen = answer.ok ? await answer.json() : { status: answer.status };
      if (seen.services && condition(seen.services)) return seen.services;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`${what}: not within ${seconds} s: ${JSON.stringify(seen)}\n${this.log}`);
  }
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
}
