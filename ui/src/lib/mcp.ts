/**
 * A client for MCP's stateless protocol over HTTP, for a page of the server itself.
 *
 * The SDK's client is ten times as large as the console, for what a page of the same server does not need: sessions,
 * streams, other versions, and logins at authorization servers.
 */
const VERSION = "2026-07-28";
const META = "io.modelcontextprotocol/";

/** A JSON object. */
type Fields = Record<string, unknown>;

/** Sends HTTP requests; `fetch`, or a function around it. */
export type Send = (input: URL, init: RequestInit) => Promise<Response>;

/** What a client says of itself with each request. */
export interface ClientInfo {
  name: string;
  version: string;
  capabilities: Fields;
}

/** Why a request has no result: `status` is that of the HTTP response, 0 if there was none. */
export class RequestFailed extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
    this.name = "RequestFailed";
  }
}

/** A client of the server at `address`. */
export class McpClient {
  #number = 0;

  constructor(
    private readonly address: URL,
    private readonly info: ClientInfo,
    private readonly send: Send = fetch,
  ) {}

  /** Send a request and return its result. Throws RequestFailed, or the signal's AbortError. */
  async request(method: string, params: Fields = {}, signal?: AbortSignal): Promise<Fields> {
    this.#number += 1;
    const id = this.#number;
    const name = params["name"];
    const response = await this.#post(
      { jsonrpc: "2.0", id, method, params: { ...params, _meta: this.#meta() } },
      { "Mcp-Method": method, ...(typeof name === "string" && { "Mcp-Name": name }) },
      signal,
    );
    const message = await readMessage(response, id);
    const error = asFields(message["error"]);
    if (error) throw new RequestFailed(String(error["message"] ?? "the server gave no reason"), response.status);
    const result = asFields(message["result"]);
    if (!result) throw new RequestFailed("the server's answer has no result", response.status);
    return result;
  }

  async #post(body: Fields, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
    try {
      return await this.send(this.address, {
        method: "POST",
        headers: {
          Accept: "application/json, text/event-stream",
          "Content-Type": "application/json",
          "MCP-Protocol-Version": VERSION,
          ...headers,
        },
        body: JSON.stringify(body),
        ...(signal && { signal }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new RequestFailed("the server cannot be reached", 0);
    }
  }

  #meta(): Fields {
    const { name, version, capabilities } = this.info;
    return {
      [`${META}protocolVersion`]: VERSION,
      [`${META}clientInfo`]: { name, version },
      [`${META}clientCapabilities`]: capabilities,
    };
  }
}

/** Return the answer to a request: the whole body, or the event of a stream that has the request's id. */
async function readMessage(response: Response, id: number): Promise<Fields> {
  const text = await response.text();
  const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream") ?? false;
  for (const data of isStream ? eventsOf(text) : [text]) {
    const message = parseObject(data);
    if (message && (message["id"] === id || message["id"] === null) && !("method" in message)) return message;
  }
  throw new RequestFailed(`the server did not answer the request (status ${response.status})`, response.status);
}

/** Return the data of the events of a stream that has ended. */
export function eventsOf(text: string): string[] {
  return text.split(/\r?\n\r?\n/).flatMap((event) => {
    const lines = event.split(/\r?\n/).flatMap((line) => (line.startsWith("data:") ? [line.slice(5).replace(/^ /, "")] : []));
    return lines.length > 0 ? [lines.join("\n")] : [];
  });
}

function parseObject(text: string): Fields | null {
  try {
    return asFields(JSON.parse(text));
  } catch {
    return null;
  }
}

function asFields(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}
