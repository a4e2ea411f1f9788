import { readFile } from "node:fs/promises";
import { environment } from "./environment.js";

/** A file to choose in a form. */
export type Zip = { name: string; mimeType: string; buffer: Buffer };

/** The API function's own package with a comment, which makes it other code and changes nothing it does. */
export async function apiZip(comment: string): Promise<Zip> {
  const zip = await readFile(environment.zip);
  // A zip without a comment ends in the length of none.
  const length = Buffer.alloc(2);
  length.writeUInt16LE(Buffer.byteLength(comment));
  const buffer = Buffer.concat([zip.subarray(0, -2), length, Buffer.from(comment)]);
  return { name: "api.zip", mimeType: "application/zip", buffer };
}

/** A package that ends as soon as it is started. */
export function brokenZip(): Zip {
  const script = Buffer.from("#!/bin/sh\necho this version can not start >&2\nexit 1\n");
  return { name: "broken.zip", mimeType: "application/zip", buffer: stored("bootstrap", script) };
}

/** A zip of one executable file, which is not compressed (APPNOTE.TXT 4.3). */
function stored(name: string, content: Buffer): Buffer {
  const file = Buffer.from(name);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0); // version needed
  common.writeUInt16LE(0x21, 8); // 1980-01-01
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(content.length, 14);
  common.writeUInt32LE(content.length, 18);
  common.writeUInt16LE(file.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, file, content]);
  const attributes = Buffer.alloc(14);
  attributes.writeUInt32LE((0o100755 << 16) >>> 0, 6);
  const madeByUnix = Buffer.from([20, 3]);
  const central = Buffer.concat([Buffer.from("PK\x01\x02"), madeByUnix, common, attributes, file]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, central, Buffer.from("PK\x05\x06"), end]);
}

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
