// The TypeScript SDK, version 1: `node examples/frameworks/with_typescript_sdk1.mjs`.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

import { Script, server } from "./scenario.mjs";

const script = new Script();
const where = server();
const transport = where.url ? new StreamableHTTPClientTransport(where.url) : new StdioClientTransport(where);
const client = new Client({ name: "example", version: "1" }, { capabilities: { elicitation: {} } });
client.setRequestHandler(ElicitRequestSchema, ({ params }) => script.person.answer(params));
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
