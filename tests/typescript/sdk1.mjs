// A host on the first TypeScript SDK, which speaks the legacy era.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

import { address, asks, obey, transport } from "./lines.mjs";
import { Person } from "./person.mjs";

const Transport = transport === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
const person = new Person();
const capabilities = asks ? { elicitation: {} } : {};
const client = new Client({ name: "sdk1", version: "1" }, { capabilities });

if (asks) client.setRequestHandler(ElicitRequestSchema, person.reply);
const wire = new Transport(new URL(address));
const agree = wire.setProtocolVersion.bind(wire);
let revision; // the client passes it only to its transport
wire.setProtocolVersion = (version) => agree((revision = version));
await client.connect(wire);
await obey(person, {
  hello: { server: client.getServerVersion(), revision },
  list: () => client.listTools(),
  call: (params, options) => client.callTool(params, undefined, options),
});
await client.close();
