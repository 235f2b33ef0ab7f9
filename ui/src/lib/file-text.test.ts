import { expect, test } from "vitest";
import { readText } from "./file-text";

const fileOf = (name: string, bytes: Uint8Array<ArrayBuffer>, size = bytes.length) => ({ name, size, arrayBuffer: async () => bytes.buffer });

test("the text of a file in UTF-8 is read, without its byte order mark", async () => {
  expect(await readText(fileOf("a.CSV", new TextEncoder().encode("\ufeffName\nÅse")))).toBe("Name\nÅse");
});

test("a file in another encoding is refused, not misread", async () => {
  await expect(readText(fileOf("a.csv", new Uint8Array([0x4e, 0xe5])))).rejects.toThrow(/not in UTF-8/);
});

test("a workbook and a large file are refused", async () => {
  await expect(readText(fileOf("a.xlsx", new Uint8Array()))).rejects.toThrow(/as CSV/);
  await expect(readText(fileOf("a.csv", new Uint8Array(), 700_001))).rejects.toThrow(/700 KB/);
});
