// The status page in a real browser. Run by `node --test tests/node/` after `cargo build`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { Database, Exporter, launch } from "./exporter.mjs";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser;
let demo;

before(async () => {
  demo = await Exporter.demo("--poll.interval=1s");
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await demo?.stop();
});

// Opens a page; an error of a script or of the policy fails the test.
async function open(url, options = {}) {
  const { expectErrors = false, ...context } = options;
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...context });
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) page.complaints.push(`requests ${request.url()}`);
  });
  await page.goto(url);
  page.finish = async () => {
    if (!expectErrors) assert.deepEqual(page.complaints, []);
    await page.close();
  };
  return page;
}

// The page's policy blocks foreign scripts, so axe-core is evaluated rather than loaded.
async function violations(page) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }),
  );
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
}

function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

// Runs a test with an exporter of this database.
async function serving(services, body, ...args) {
  const database = new Database();
  if (services.length > 0) database.add(services);
  const exporter = await Exporter.serve(database.url, ...args);
  try {
    await exporter.waitFor("the first snapshot", () => true);
    await body(exporter, database);
  } finally {
    await exporter.stop();
    database.remove();
  }
}

test("a refresh shows what changed and keeps scroll position, focus, input and selection", async () => {
  const services = Array.from({ length: 60 }, (_, i) => ({ host: `host${String(i).padStart(2, "0")}` }));
  await serving(services, async (exporter, database) => {
    const page = await open(exporter.url);
    await page.getByRole("searchbox").fill("half typed");
    await page.locator("tr", { hasText: "host30" }).scrollIntoViewIfNeeded();
    await page.evaluate(() => {
      const name = [...document.querySelectorAll(".host")].find((e) => e.textContent === "host31");
      getSelection().selectAllChildren(name);
      document.querySelector("footer a").focus({ preventScroll: true });
    });
    const top = () => page.locator("tr", { hasText: "host31" }).evaluate((row) => row.getBoundingClientRect().top);
    const scrolled = await top();
    // The last row becomes the first, with a card.
    database.execute("UPDATE services SET updated_at = datetime('now', '-500 seconds') WHERE host = 'host59'");
    await page.locator(".headline", { hasText: "1 down of 60" }).waitFor();
    assert.match(await page.title(), /^\(1 down\) /);
    assert.equal(await page.locator("#announcement").innerText(), "1 down of 60");
    assert.match(await page.locator(".card h3").innerText(), /cinder-volume on host59/);
    assert.match((await page.getByRole("rowheader").allInnerTexts())[0], /host59/);
    assert.equal(await page.getByRole("searchbox").inputValue(), "half typed");
    assert.equal(await page.evaluate(() => getSelection().toString()), "host31");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Metrics");
    assert.ok(Math.abs((await top()) - scrolled) < 2, `moved from ${scrolled} to ${await top()}`);
    // Focus inside a region that changes.
    await page.getByRole("link", { name: "JSON of cinder-volume on host59" }).focus();
    database.execute("UPDATE services SET updated_at = datetime('now', '-500 seconds') WHERE host = 'host01'");
    await page.locator(".headline", { hasText: "2 down of 60" }).waitFor();
    const focused = () => page.evaluate(() => document.activeElement.getAttribute("href"));
    assert.match(await focused(), /host59$/);
    // The first row moves down by thirty rows, and its card is removed.
    database.execute("UPDATE services SET updated_at = datetime('now', '+30 seconds') WHERE host = 'host01'");
    await page.locator(".headline", { hasText: "1 down of 60" }).waitFor();
    assert.match(await focused(), /host59$/);
    assert.equal(await page.evaluate(() => getSelection().toString()), "host31");
    // A new filter appears before the focused one.
    await page.getByRole("link", { name: /^up / }).focus();
    database.execute("UPDATE services SET updated_at = 'no time' WHERE host = 'host02'");
    await page.getByRole("link", { name: "unknown 1" }).waitFor();
    assert.equal(await focused(), "?state=up");
    await page.finish();
  });
});

test("a page that can't be refreshed warns, and recovers", async () => {
  await serving([{ host: "block1" }], async (exporter) => {
    const page = await open(exporter.url, { expectErrors: true });
    assert.equal(await page.locator("#stale-warning").isVisible(), false);
    await exporter.stop();
    await page.locator("#stale-warning", { hasText: /is \d+ s old/ }).waitFor();
    assert.match(await page.title(), /connection lost/);
    assert.deepEqual(await violations(page), []);
    const age = async () => Number(/is (\d+) s old/.exec(await page.locator("#stale-warning").innerText())[1]);
    const then = await age();
    await page.waitForFunction((then) => Number(/is (\d+) s/.exec(document.body.innerText)[1]) > then, then);
    await exporter.restart();
    await page.locator("#stale-warning").waitFor({ state: "hidden" });
    await page.locator(".headline", { hasText: "1 up" }).waitFor();
    await page.finish();
  });
});

test("a refresh can be paused", async () => {
  await serving([{ host: "block1" }], async (exporter) => {
    const page = await open(exporter.url);
    await page.getByRole("button", { name: "Pause refresh" }).click();
    let asked = 0;
    page.on("request", () => asked++);
    await page.waitForTimeout(2500);
    assert.equal(asked, 0);
    assert.match(await page.title(), /paused/);
    await page.getByRole("button", { name: "Resume refresh" }).click();
    await page.waitForResponse(exporter.url);
    await page.finish();
  });
});

test("an unreadable database does not look like services that are down", async () => {
  const body = async (exporter, database) => {
    const page = await open(exporter.url);
    await page.getByRole("searchbox").fill("half typed");
    database.execute("ALTER TABLE services RENAME TO elsewhere");
    await page.locator(".headline.unknown").waitFor();
    assert.equal(await page.getByRole("rowheader").count(), 1);
    assert.match(await page.locator(".headline.unknown").innerText(), /^1 up, as of \d+ s ago$/);
    const announced = () => page.locator("#announcement").innerText();
    assert.match(await announced(), /1 up, as of \d+ s ago\. .*database/);
    assert.match(await page.locator("#icon").getAttribute("href"), /unknown\.svg/);
    await page.locator(".trouble", { hasText: "table or column is missing" }).waitFor();
    await page.waitForFunction(() => document.title.startsWith("(no data)"));
    assert.equal(await page.getByRole("rowheader").count(), 0);
    assert.match(await announced(), /no current data/);
    assert.deepEqual(await violations(page), []);
    database.execute("ALTER TABLE elsewhere RENAME TO services");
    await page.locator(".headline", { hasText: "1 up" }).waitFor();
    assert.equal(await page.getByRole("rowheader").count(), 1);
    assert.equal(await page.getByRole("searchbox").inputValue(), "half typed");
    assert.equal(await announced(), "1 up");
    await page.finish();
  };
  await serving([{ host: "block1" }], body, "--poll.stale-after=6s");
});

test("a page that was opened without data shows the services as soon as there are any", async () => {
  const body = async (exporter, database) => {
    database.execute("ALTER TABLE services RENAME TO elsewhere");
    const page = await open(exporter.url);
    await page.locator(".headline", { hasText: "no current data" }).waitFor();
    await page.reload();
    assert.equal(await page.getByRole("searchbox").count(), 0);
    database.execute("ALTER TABLE elsewhere RENAME TO services");
    await page.getByRole("rowheader", { name: /block1/ }).waitFor();
    assert.equal(await page.getByRole("searchbox").count(), 1);
    await page.finish();
  };
  await serving([{ host: "block1" }], body, "--poll.stale-after=6s");
});

test("a hidden tab is refreshed", async () => {
  await serving([{ host: "block1" }], async (exporter, database) => {
    const page = await open(exporter.url);
    assert.match(await page.title(), /^\(0 down\) /);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { get: () => true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    database.execute("UPDATE services SET updated_at = datetime('now', '-500 seconds')");
    await page.waitForFunction(() => document.title.startsWith("(1 down)"));
    assert.match(await page.locator("#icon").getAttribute("href"), /down\.svg/);
    await page.finish();
  });
});

test("stale data is marked, even while refresh is paused", async () => {
  const body = async (exporter) => {
    const page = await open(exporter.url);
    await page.getByRole("button", { name: "Pause refresh" }).click();
    await page.waitForFunction(() => document.title.startsWith("(stale)"));
    assert.match(await page.locator("#stale-warning").innerText(), /paused.*stale.*\d+ s old/);
    assert.equal(await page.locator("body.stale").count(), 1);
    assert.match(await page.locator("#icon").getAttribute("href"), /unknown\.svg/);
    assert.deepEqual(await violations(page), []);
    await page.getByRole("button", { name: "Resume refresh" }).click();
    await page.waitForFunction(() => document.title.startsWith("(0 down)"));
    assert.equal(await page.locator("#stale-warning").isVisible(), false);
    assert.match(await page.locator("#icon").getAttribute("href"), /up\.svg/);
    await page.finish();
  };
  await serving([{ host: "block1" }], body, "--poll.stale-after=6s");
});

test("an older response does not overwrite a newer one", async () => {
  await serving([{ host: "block1" }], async (exporter) => {
    const page = await open(exporter.url, { expectErrors: true });
    let first;
    const held = new Promise((resolve) => (first = resolve));
    await page.route(exporter.url, async (route) => {
      if (first) {
        first(route);
        first = undefined;
      } else await route.continue();
    });
    const route = await held;
    const old = (await (await fetch(exporter.url)).text()).replaceAll(">1 up<", ">Of old<");
    const newer = page.waitForResponse(exporter.url);
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await newer;
    // It may be aborted already, which is fine too.
    await route.fulfill({ body: old, contentType: "text/html" }).catch(() => {});
    await page.waitForTimeout(300);
    assert.equal(await page.locator(".headline").innerText(), "1 up");
    assert.equal(await page.locator("#stale-warning").isVisible(), false);
    await page.finish();
  });
});

test("after an upgrade an open page reloads, unless a form has unsent input", async () => {
  await serving([{ host: "block1" }], async (exporter) => {
    const page = await open(exporter.url);
    await page.getByRole("searchbox").fill("half typed");
    await page.route(exporter.url, async (route) => {
      if (route.request().resourceType() !== "fetch") return route.continue();
      const body = (await (await fetch(exporter.url)).text()).replace("refresh.js?v=", "refresh.js?v=0");
      return route.fulfill({ body, contentType: "text/html" });
    });
    await page.waitForResponse(exporter.url);
    await page.waitForTimeout(300);
    assert.equal(await page.getByRole("searchbox").inputValue(), "half typed");
    const loaded = page.waitForEvent("load");
    await page.getByRole("searchbox").fill("");
    await loaded;
    await page.finish();
  });
});

test("charts have visible edges", async () => {
  const body = async (exporter) => {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open(exporter.url, { colorScheme });
      const low = await page.evaluate(() => {
        const channels = (color) => color.match(/[\d.]+/g).slice(0, 3).map((c) => c / 255);
        const light = (color) =>
          channels(color)
            .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = light(getComputedStyle(document.querySelector("table")).backgroundColor);
        const found = [...document.querySelectorAll(".strip rect, .axis rect, .axis path")].map((shape) => {
          const { stroke, fill } = getComputedStyle(shape);
          const other = light(stroke === "none" ? fill : stroke);
          const contrast = (Math.max(ground, other) + 0.05) / (Math.min(ground, other) + 0.05);
          return [shape.getAttribute("class"), contrast];
        });
        return found.filter(([, contrast]) => contrast < 3).concat(found.length > 5 ? [] : ["nothing drawn"]);
      });
      assert.deepEqual(low, [], colorScheme);
      await page.finish();
    }
  };
  // A clock ahead is proven, and drawn, at once.
  await serving([{ host: "block1" }, { host: "ahead", age: -75 }], body);
});

test("hostile names are shown as text", async () => {
  const hosts = [
    "<script>document.title='broken'</script>",
    '"><img src=x onerror="document.title=`broken`">',
    "</td></tr></table><h1>broken</h1>",
    "javascript:alert(1)",
    "x".repeat(255),
    "\u202egnp.eliforp",
    "a/b@c#d?e&f=g%41 ж",
    "\u0001\u0007\u001b[31m",
  ];
  const services = hosts.map((host) => ({
    host,
    age: 500,
    availability_zone: host,
    disabled_reason: host,
    cluster_name: host,
  }));
  services.push({ host: "quiet", disabled: 1, disabled_reason: hosts[0] });
  await serving(services, async (exporter) => {
    for (const width of [360, 1280]) {
      const page = await open(exporter.url, { viewport: { width, height: 900 } });
      assert.match(await page.title(), /^\(8 down\) /);
      assert.equal(await page.locator("h1").count(), 1);
      assert.equal(await page.locator("img").count(), 0);
      assert.equal(await page.locator("script").count(), 1);
      const shown = await page.locator("bdi.host").allTextContents();
      assert.deepEqual(shown.sort(), [...hosts, "quiet"].sort());
      assert.equal(await overflow(page), 0);
      // Also after a refresh.
      await page.waitForResponse(exporter.url);
      await page.waitForTimeout(200);
      assert.match(await page.title(), /^\(8 down\) /);
      assert.deepEqual(await violations(page), []);
      await page.finish();
    }
    const page = await open(exporter.url);
    for (const link of await page.locator(".card .links a[href^=api]").all()) {
      const answer = await page.request.get(new URL(await link.getAttribute("href"), exporter.url).href);
      assert.equal(answer.status(), 200);
    }
    const hostile = `${exporter.url}?q=${encodeURIComponent('"><script>document.title=1</script>')}&binary=<b>&state=<b>`;
    await page.goto(hostile);
    assert.match(await page.title(), /^\(8 down\) /);
    assert.equal(await page.locator("script").count(), 1);
    await page.finish();
  });
});

test("ten thousand services are paged, and an empty table names the check to run", async () => {
  const many = Array.from({ length: 10_000 }, (_, i) => ({ host: `host${i}`, age: i % 500 === 0 ? 300 : 0 }));
  await serving(many, async (exporter) => {
    const page = await open(exporter.url, { viewport: { width: 360, height: 740 } });
    assert.equal(await page.locator(".card").count(), 12);
    assert.equal(await page.getByRole("rowheader").count(), 100);
    assert.match(await page.locator("#urgent").innerText(), /8 more/);
    assert.deepEqual(await violations(page), []);
    await page.getByRole("link", { name: "Next" }).click();
    await page.waitForURL(/page=2/);
    assert.match(await page.locator(".pages").innerText(), /Page 2 of 100/);
    assert.equal(await overflow(page), 0);
    await page.finish();
  });
  await serving([], async (exporter) => {
    const page = await open(exporter.url);
    assert.match(await page.locator("#table").innerText(), /no services.*check-config --connect/);
    assert.deepEqual(await violations(page), []);
    await page.finish();
  });
});

describe("the demonstration", { concurrency: 1 }, () => {
  before(async () => {
    await demo.waitFor("both databases", (services) => services.length === 11);
  });

  test("shows all services, why some are down, and advice", async () => {
    const page = await open(demo.url);
    assert.match(await page.title(), /^\(2 down\) /);
    assert.equal(await page.locator(".headline").innerText(), "2 down · 1 listed as up · 1 taken down of 11");
    const cards = await page.locator(".card").allInnerTexts();
    assert.equal(cards.length, 3);
    const scheduler = cards.find((card) => card.includes("cinder-scheduler on controller"));
    assert.match(scheduler, /down: stopped/);
    assert.match(scheduler, /process[^]* controller/);
    const block1 = cards.find((card) => card.includes("cinder-volume on block1"));
    assert.match(block1, /down: clock skew since \d\d:\d\d:\d\d UTC, for 3\d min/);
    assert.match(block1, /7\d\.\d s \(± \d\.\d\) behind the database/);
    assert.match(block1, /−7\d\.\d s over budget/);
    const share = cards.find((card) => card.includes("manila-share on storage2@generic"));
    assert.match(share, /down, but listed as up: stopped since/);
    const names = await page.getByRole("rowheader").allInnerTexts();
    assert.equal(names.length, 11);
    assert.match(names[0] + names[1], /controller[^]*block1/);
    assert.deepEqual(await page.getByRole("columnheader").allInnerTexts(), [
      "State",
      "Database",
      "Service",
      "Zone",
      "Last heartbeat",
      "Clock skew",
      "Last hour",
    ]);
    const runbook = page.getByRole("link", { name: "Runbook OpenStackServiceClockSkewed" });
    assert.match(await runbook.getAttribute("href"), /docs\/runbooks\/OpenStackServiceClockSkewed\.md$/);
    await page.finish();
  });

  test("has no axe-core violations at any width and in any colour scheme", async () => {
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [360, 800, 1280, 2560]) {
        const page = await open(demo.url, { colorScheme, viewport: { width, height: 900 } });
        assert.deepEqual(await violations(page), [], `${colorScheme}, ${width}`);
        assert.equal(await overflow(page), 0, `${width} scrolls sideways`);
        await page.finish();
      }
    }
  });

  test("is dark where dark is preferred", async () => {
    const ground = {};
    for (const colorScheme of ["light", "dark"]) {
      const page = await open(demo.url, { colorScheme });
      ground[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      await page.finish();
    }
    assert.deepEqual(ground, { light: "rgb(245, 246, 248)", dark: "rgb(14, 17, 22)" });
  });

  test("is a table for a screen reader on a phone as well", async () => {
    const page = await open(demo.url, { viewport: { width: 360, height: 740 } });
    assert.equal(await page.getByRole("row").count(), 12);
    assert.equal(await page.getByRole("rowheader").count(), 11);
    assert.equal(await page.getByRole("cell").count(), 66);
    await page.finish();
  });

  test("filters by keyboard alone", async () => {
    const page = await open(demo.url);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to all services");
    await page.keyboard.press("Enter");
    const box = page.getByRole("searchbox");
    for (let steps = 0; steps < 20 && !(await box.evaluate((e) => e === document.activeElement)); steps++) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.type("BLOCK2");
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=BLOCK2/);
    assert.equal(await page.getByRole("rowheader").count(), 2);
    assert.equal(await page.locator(".card").count(), 0);
    assert.match(await page.locator(".headline").innerText(), /2 down .* of 11/);
    await page.getByRole("link", { name: "down 2" }).click();
    assert.match(page.url(), /state=down&q=BLOCK2/);
    assert.match(await page.locator("#table").innerText(), /None of 11 /);
    await page.getByRole("link", { name: "Show all" }).first().click();
    assert.equal(await page.getByRole("rowheader").count(), 11);
    await page.finish();
  });

  test("filters by state and binary", async () => {
    const page = await open(demo.url);
    await page.getByRole("combobox", { name: "State" }).selectOption("down");
    await page.getByRole("combobox", { name: "Binary" }).selectOption("cinder-volume");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.waitForURL(/state=down&binary=cinder-volume/);
    assert.match((await page.getByRole("rowheader").allInnerTexts()).join(), /block1/);
    assert.equal(await page.getByRole("combobox", { name: "State" }).inputValue(), "down");
    assert.equal(await page.getByRole("combobox", { name: "Binary" }).inputValue(), "cinder-volume");
    await page.finish();
  });

  test("works without JavaScript", async () => {
    const page = await open(demo.url, { javaScriptEnabled: false });
    assert.equal(await page.getByRole("rowheader").count(), 11);
    assert.equal(await page.locator("#pause").isVisible(), false);
    // A reload clears a half-filled form, so it is rare, and off while a filter is active.
    const meta = page.locator('meta[http-equiv="refresh"]');
    assert.equal(await meta.getAttribute("content"), "60");
    assert.match(await page.locator("header").innerText(), /every 60 s/);
    await page.getByRole("searchbox").fill("block2");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.waitForURL(/q=block2/);
    assert.equal(await meta.count(), 0);
    assert.match(await page.locator("header").innerText(), /do not reload/);
    await page.getByRole("link", { name: "Refresh" }).click();
    assert.match(page.url(), /q=block2/);
    assert.equal(await page.getByRole("rowheader").count(), 2);
    await page.finish();
  });
});
