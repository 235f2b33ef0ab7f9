import type { Host, HostState } from "../app/host";
import { type Answer, CallFailed, explainMissingScope, type Fields, readResult, sentence, type ToolResult } from "../lib/answer";
import { McpClient, RequestFailed } from "../lib/mcp";
import { createStore, type Store } from "../lib/store";

/** The server takes messages of the console's page only with this header, which no other site can send. */
const PAGE_HEADERS = { "X-Contacts-Console": "1" };
const CALL_TIMEOUT_MS = 120_000;
const ALIVE_INTERVAL_MS = 20_000;
/** The page shows MCP Apps, so the server answers as it does to a host that shows them. */
const UI_EXTENSION = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };

/** How the connection is: `ended` if the login is over, `stopped` if the server no longer answers. */
export type Status = "connecting" | "connected" | "failed" | "ended" | "stopped";

/** The server behind the page. */
export interface Connection {
  readonly status: Store<Status>;
  /** Why the connection failed. */
  readonly problem: Store<string>;
  /** The names of the tools that the person may use. */
  readonly tools: Store<ReadonlySet<string>>;
  /** What console pages use in place of a host's. */
  readonly host: Host;
  /** Call a tool, and return its result as it is. Throws CallFailed if no result came. */
  callRaw(tool: string, args: Fields, options?: { signal?: AbortSignal; timeoutMs?: number }): Promise<ToolResult>;
  connect(): Promise<void>;
  logOut(): Promise<void>;
}

/** Prepare the connection to the server of this page; `connect` opens it. */
export function createConnection(isOnThisComputer: boolean): Connection {
  const status = createStore<Status>("connecting");
  const problem = createStore("");
  const tools = createStore<ReadonlySet<string>>(new Set());

  const request = async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const headers = { ...(init.headers as Record<string, string> | undefined), ...PAGE_HEADERS };
    const response = await fetch(input, { ...init, headers, credentials: "same-origin", redirect: "error" });
    if (response.status === 401) status.set("ended");
    return response;
  };
  const info = { name: "contacts-console", version: "1", capabilities: { extensions: UI_EXTENSION } };
  const client = new McpClient(new URL("mcp", location.href), info, request);

  const connect = async () => {
    status.set("connecting");
    try {
      const listed = (await client.request("tools/list")) as { tools?: { name: string }[] };
      tools.set(new Set((listed.tools ?? []).map((tool) => tool.name)));
      status.set("connected");
    } catch (error) {
      problem.set(explain(error));
      if (status.get() === "connecting") status.set("failed");
    }
  };

  const callRaw: Connection["callRaw"] = async (tool, args, options = {}) => {
    const limit = AbortSignal.timeout(options.timeoutMs ?? CALL_TIMEOUT_MS);
    const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
    try {
      return await client.request("tools/call", { name: tool, arguments: args }, signal);
    } catch (error) {
      if (options.signal?.aborted) throw new DOMException("the call was ended", "AbortError");
      if (limit.aborted) throw new CallFailed("unreachable", "The server did not answer in time.");
      throw new CallFailed("unreachable", explain(error));
    }
  };

  if (isOnThisComputer) watchServer(() => request("alive", { method: "POST" }), status);

  return {
    status,
    problem,
    tools,
    host: toHost(callRaw),
    callRaw,
    connect,
    async logOut() {
      await request("logout", { method: "POST" }).catch(() => undefined);
      status.set("ended");
    },
  };
}

/** Tell the server of this computer that the page is open: it ends a while after the last page. */
function watchServer(tell: () => Promise<Response>, status: Store<Status>): void {
  let failures = 0;
  const timer = setInterval(async () => {
    const isThere = await tell().then(
      () => true,
      () => false,
    );
    failures = isThere ? 0 : failures + 1;
    if (failures < 2) return;
    clearInterval(timer);
    if (status.get() !== "ended") status.set("stopped");
  }, ALIVE_INTERVAL_MS);
}

const STATE: HostState = {
  connection: "connected",
  problem: "",
  tool: "",
  displayMode: "fullscreen",
  canExpand: false,
  maxHeight: null,
  locale: undefined,
  timeZone: undefined,
  canMessage: false,
  canTell: false,
  canSave: true,
};

function toHost(callRaw: Connection["callRaw"]): Host {
  return {
    launch: createStore({ status: "waiting" }),
    state: createStore(STATE),
    async call<T = Fields>(tool: string, args: Fields, options = {}): Promise<Answer<T>> {
      return readResult<T>(await callRaw(tool, args, options));
    },
    tell: () => Promise.resolve(),
    say: () => Promise.resolve(false),
    setDisplayMode: () => Promise.resolve(),
    async download(name, mimeType, text) {
      saveFile(name, new Blob([text], { type: mimeType }));
      return true;
    },
  };
}

/** Save a file as the browser does. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function explain(error: unknown): string {
  if (error instanceof RequestFailed) {
    const missing = error.status === 403 ? explainMissingScope(`403 ${error.message}`) : null;
    return missing ?? sentence(error.message);
  }
  return error instanceof Error ? error.message : String(error);
}
