// The Inspector's command line: `node examples/frameworks/with_inspector.mjs`. It starts a process for each call.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { Script, server } from "./scenario.mjs";

const PROGRAM = new URL("node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js", import.meta.url);
const script = new Script();
const where = server();
const target = where.url ? [where.url.href] : [where.command, ...where.args];
const run = promisify(execFile);

async function inspect(method, ...options) {
  const args = [PROGRAM.pathname, "--cli", "--method", method, ...options, "--", ...target];
  const { stdout } = await run(process.execPath, args).catch((failed) => failed); // 5: the tool returned an error
  return JSON.parse(stdout);
}

const { tools } = await inspect("tools/list");
const schemas = Object.fromEntries(tools.map((tool) => [tool.name, tool.inputSchema]));
let call = script.next(schemas);
while (call) {
  const pairs = Object.entries(call.arguments).map(([name, value]) => `${name}=${asText(value)}`);
  const result = await inspect("tools/call", "--tool-name", call.tool, ...(pairs.length ? ["--tool-arg", ...pairs] : []));
  call = script.next(schemas, result.content[0].text);
}
script.read((await inspect("resources/read", "--uri", script.export)).contents[0].text);

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
