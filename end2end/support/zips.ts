import { readFile } from "node:fs/promises";
import { deflateRawSync } from "node:zlib";
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

/** The API function that answers this share of its requests, 0 to 1, with 500. */
export async function erringZip(share: number): Promise<Zip> {
  const program = await readFile(environment.misbehaving);
  const faults = Buffer.from(JSON.stringify({ error_share: share }));
  const buffer = archive([
    ["bootstrap", program, 0o755],
    ["misbehave.json", faults, 0o644],
  ]);
  return { name: "erring.zip", mimeType: "application/zip", buffer };
}

/** A package that ends as soon as it is started. */
export function brokenZip(): Zip {
  const script = Buffer.from("#!/bin/sh\necho this version can not start >&2\nexit 1\n");
  return { name: "broken.zip", mimeType: "application/zip", buffer: archive([["bootstrap", script, 0o755]]) };
}

/** A zip of files: name, content and mode (APPNOTE.TXT 4.3). */
function archive(files: [string, Buffer, number][]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const [name, content, mode] of files) {
    const packed = deflateRawSync(content, { level: 1 });
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // version needed
    common.writeUInt16LE(8, 4); // deflated
    common.writeUInt16LE(0x21, 8); // 1980-01-01
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((0o100000 | mode) * 0x10000, 6);
    rest.writeUInt32LE(offset, 10);
    const madeByUnix = Buffer.from([20, 3]);
    centrals.push(Buffer.concat([Buffer.from("PK\x01\x02"), madeByUnix, common, rest, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from("PK\x05\x06"), end]);
}

const CRC = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc >>> 0;
});

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) crc = (CRC[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
