// Takes the screenshots of the status page in docs/images/ from the demo:
//
//     cargo build && node tests/node/screenshots.mjs

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { crc32, deflateSync, inflateSync } from "node:zlib";
import { Exporter, launch } from "./exporter.mjs";

const folder = fileURLToPath(new URL("../../docs/images/", import.meta.url));

// Rewrites a PNG without line filters: flat colours and letters become a fifth smaller.
function compact(png) {
  const parts = [];
  let header;
  for (let at = 8; at < png.length; ) {
    const [length, type] = [png.readUInt32BE(at), png.toString("latin1", at + 4, at + 8)];
    const data = png.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") header = data;
    if (type === "IDAT") parts.push(data);
    at += length + 12;
  }
  // Eight bits a channel, with or without the one for opacity (type 6).
  const size = header[9] === 6 ? 4 : 3;
  const pixels = unfiltered(inflateSync(Buffer.concat(parts)), header.readUInt32BE(0) * size + 1, size);
  return Buffer.concat([
    png.subarray(0, 8),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(pixels, { level: 9, memLevel: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

// Undoes the filters of lines of so many bytes, the first of which names the filter (RFC 2083, 6).
function unfiltered(lines, line, size) {
  const plain = Buffer.alloc(lines.length);
  for (let at = 0; at < lines.length; at++) {
    const column = at % line;
    if (column === 0) continue;
    const left = column > size ? plain[at - size] : 0;
    const above = at > line ? plain[at - line] : 0;
    const corner = at > line && column > size ? plain[at - line - size] : 0;
    const distances = [left, above, corner].map((value) => Math.abs(left + above - corner - value));
    const nearest = [left, above, corner][distances.indexOf(Math.min(...distances))];
    const filters = [0, left, above, (left + above) >> 1, nearest];
    plain[at] = lines[at] + filters[lines[at - column]];
  }
  return plain;
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

mkdirSync(folder, { recursive: true });
const demo = await Exporter.demo();
const browser = await launch();
try {
  await demo.waitFor("both databases", (services) => services.length === 11);
  for (const [name, colorScheme, width, height] of [
    ["status-light", "light", 1160, 1550],
    ["status-dark", "dark", 1160, 1550],
    ["status-narrow", "light", 360, 780],
  ]) {
    const page = await browser.newPage({
      colorScheme,
      viewport: { width, height },
      deviceScaleFactor: width < 1000 ? 2 : 1,
    });
    await page.goto(demo.url);
    writeFileSync(`${folder}${name}.png`, compact(await page.screenshot()));
    await page.close();
  }
} finally {
  await browser.close();
  await demo.stop();
}
