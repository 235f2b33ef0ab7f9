// Loaded before the suite: writes down, a line of JSON each, what its scenarios ask the server for by name.
import { appendFileSync } from "node:fs";

const { log } = console;
const send = globalThis.fetch;
let scenario = "";

console.log = (...words) => {
  scenario = /=== Running scenario: (\S+) ===/.exec(words[0])?.[1] ?? scenario;
  log(...words);
};

globalThis.fetch = (address, options) => {
  note(options?.body);
  return send(address, options);
};

function note(body) {
  const params = typeof body === "string" ? JSON.parse(body).params : undefined;
  const name = params?.name ?? params?.uri;
  if (name) appendFileSync(process.env.ASKED_FOR, `${JSON.stringify([scenario, name])}\n`);
}
