// Makes the pictures of the status page in docs/images/ from the demonstration:
//
//     cargo build && node tests/node/screenshots.mjs [MINUTES]
//
// MINUTES of observation show in the strips; without, as soon as both reasons are known.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Exporter, launch } from "./exporter.mjs";

const folder = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const minutes = Number(process.argv[2] ?? 0);

mkdirSync(folder, { recursive: true });
const demo = await Exporter.demo();
const browser = await launch();
try {
  await demo.waitFor("both reasons", (services) =>
    ["clock_skew", "stopped"].every((reason) => services.some((service) => service.reason === reason)),
  );
  await new Promise((resolve) => setTimeout(resolve, minutes * 60_000));
  for (const [name, colorScheme, width, height] of [
    ["status-light", "light", 1160, 800],
    ["status-dark", "dark", 1160, 800],
    ["status-narrow", "light", 360, 780],
  ]) {
    const page = await browser.newPage({
      colorScheme,
      viewport: { width, height },
      deviceScaleFactor: width < 1000 ? 2 : 1,
    });
    await page.goto(demo.url);
    await page.screenshot({ path: `${folder}${name}.png`, fullPage: width > 1000 });
    await page.close();
  }
} finally {
  await browser.close();
  await demo.stop();
}
