// Vercel's AI SDK: `node examples/frameworks/with_vercel_ai.mjs`.
import { ElicitationRequestSchema, createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { generateText, isStepCount } from "ai";
import { MockLanguageModelV4 } from "ai/test";

import { Script, server } from "./scenario.mjs";

const script = new Script();
const where = server();
const transport = where.url ? { type: "http", url: where.url.href } : new StdioTransport(where);
const contacts = await createMCPClient({ transport, capabilities: { elicitation: {} } });
contacts.onElicitationRequest(ElicitationRequestSchema, ({ params }) => script.person.answer(params));

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

await generateText({ model, tools: await contacts.tools(), prompt: "Tidy up my contacts.", stopWhen: isStepCount(20) });
await contacts.close();
