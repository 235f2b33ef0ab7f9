// A host on the second TypeScript SDK, which speaks both eras.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

import { address, asks, era, obey, transport } from "./lines.mjs";
import { Person } from "./person.mjs";

const Transport = transport === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
const person = new Person();
const options = {
  capabilities: asks ? { elicitation: {} } : {},
  versionNegotiation: { mode: era === "legacy" ? "legacy" : { pin: era } },
};
const client = new Client({ name: "sdk2", version: "1" }, options);

if (asks) client.setRequestHandler("elicitation/create", person.reply);
await client.connect(new Transport(new URL(address)));
await obey(person, {
  hello: { server: client.getServerVersion(), revision: client.getNegotiatedProtocolVersion() },
  list: () => client.listTools(),
  call: (params, options) => client.callTool(params, options),
});
await client.close();
