// The TypeScript SDK, version 2: `node examples/frameworks/with_typescript_sdk2.mjs`.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

import { Script, server } from "./scenario.mjs";

const script = new Script();
const where = server();
const transport = where.url ? new StreamableHTTPClientTransport(where.url) : new StdioClientTransport(where);
const options = { capabilities: { elicitation: {} }, versionNegotiation: { mode: "auto" } };
const client = new Client({ name: "example", version: "1" }, options);
client.setRequestHandler("elicitation/create", ({ params }) => script.person.answer(params));
await client.connect(transport);

const { tools } = await client.listTools();
const schemas = Object.fromEntries(tools.map((tool) => [tool.name, tool.inputSchema]));
let call = script.next(schemas);
while (call) {
  const { content } = await client.callTool({ name: call.tool, arguments: call.arguments });
  call = script.next(schemas, content[0].text);
}
script.read((await client.readResource({ uri: script.export })).contents[0].text);
await client.close();
