import { describe, expect, it } from "vitest";
import { eventsOf, McpClient, RequestFailed } from "./mcp";

const ADDRESS = new URL("https://contacts.example.com/console/mcp");
const INFO = { name: "test", version: "1", capabilities: {} };

function clientThatGets(body: string, type = "application/json", status = 200) {
  const sent: RequestInit[] = [];
  const send = (_input: URL, init: RequestInit) => {
    sent.push(init);
    return Promise.resolve(new Response(body, { status, headers: { "Content-Type": type } }));
  };
  return { client: new McpClient(ADDRESS, INFO, send), sent };
}

describe("request", () => {
  it("names method, tool and version in headers and in the message", async () => {
    const { client, sent } = clientThatGets('{"jsonrpc":"2.0","id":1,"result":{"content":[]}}');
    expect(await client.request("tools/call", { name: "list_contacts", arguments: {} })).toEqual({ content: [] });
    expect(sent[0]?.headers).toMatchObject({ "Mcp-Method": "tools/call", "Mcp-Name": "list_contacts" });
    expect(JSON.parse(String(sent[0]?.body)).params._meta["io.modelcontextprotocol/protocolVersion"]).toBe("2026-07-28");
  });

  it("finds its answer among the events of a stream", async () => {
    const progress = 'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n';
    const { client } = clientThatGets(`${progress}event: message\ndata: {"id":1,"result":{"a":1}}\n\n`, "text/event-stream");
    expect(await client.request("tools/list")).toEqual({ a: 1 });
  });

  it("reports the server's error with its status", async () => {
    const { client } = clientThatGets('{"id":null,"error":{"message":"session_ended: log in"}}', "application/json", 401);
    const failure = await client.request("tools/list").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RequestFailed);
    expect(failure).toMatchObject({ message: "session_ended: log in", status: 401 });
  });

  it("reports an answer that is not JSON, and a server that is not there", async () => {
    await expect(clientThatGets("<html>", "text/html", 502).client.request("tools/list")).rejects.toMatchObject({ status: 502 });
    const gone = new McpClient(ADDRESS, INFO, () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(gone.request("tools/list")).rejects.toMatchObject({ status: 0, message: "the server cannot be reached" });
  });
});

describe("eventsOf", () => {
  it("joins the data lines of an event, and skips comments", () => {
    expect(eventsOf(": ping\r\n\r\ndata: a\r\ndata: b\r\n\r\ndata:c\n\n")).toEqual(["a\nb", "c"]);
  });
});
