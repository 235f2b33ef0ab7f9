// Mastra: `node examples/frameworks/with_mastra.mjs`.
import { Agent } from "@mastra/core/agent";
import { MCPClient } from "@mastra/mcp";
import { MockLanguageModelV4 } from "ai/test";

import { Script, server } from "./scenario.mjs";

const script = new Script();
const contacts = new MCPClient({
  servers: { contacts: { ...server(), inputRequests: ({ params }) => script.person.answer(params) } },
});

let calls = 0;
// Replaces a model such as "anthropic/claude-sonnet-4.5".
const model = new MockLanguageModelV4({
  doGenerate: async ({ tools, prompt }) => {
    const schemas = Object.fromEntries(tools.map((tool) => [tool.name, tool.inputSchema]));
    const call = script.next(schemas, prompt.at(-1).content[0].output);
    return {
      content: [call ? toolCall(call) : { type: "text", text: "Done." }],
      finishReason: { unified: call ? "tool-calls" : "stop" },
      usage: { inputTokens: {}, outputTokens: {} },
      warnings: [],
    };
  },
});

function toolCall({ tool, arguments: given }) {
  return { type: "tool-call", toolCallId: `call_${calls++}`, toolName: tool, input: JSON.stringify(given) };
}

const agent = new Agent({ id: "contacts", name: "contacts", instructions: "", model, tools: await contacts.listTools() });
await agent.generate("Tidy up my contacts.", { maxSteps: 20 });
await contacts.disconnect();
