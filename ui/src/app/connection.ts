import { App, type McpUiHostContext } from "@modelcontextprotocol/ext-apps";
import { type Answer, asFailure, CallFailed, explainMissingScope, type Fields, readResult, type ToolResult } from "../lib/answer";
import { createStore } from "../lib/store";
import type { CallOptions, Host, HostState, Launch } from "./host";
import { applyTheme } from "./theme";

/** Hosts show about this much inline before they scroll or cut. */
const MAX_INLINE_HEIGHT_PX = 500;
const CALL_TIMEOUT_MS = 60_000;

const INITIAL_STATE: HostState = {
  connection: "connecting",
  problem: "",
  tool: "",
  displayMode: "inline",
  canExpand: false,
  maxHeight: MAX_INLINE_HEIGHT_PX,
  locale: undefined,
  timeZone: undefined,
  canMessage: false,
  canTell: false,
  canSave: false,
};

/** Connect to the host around the page. The connection is made in the background; `state` says how far it has come. */
export function connectToHost(): Host {
  const app = new App({ name: "contacts-mcp-panel", version: "1" }, { availableDisplayModes: ["inline", "fullscreen"] });
  const launch = createStore<Launch>({ status: "waiting" });
  const state = createStore<HostState>(INITIAL_STATE);
  let launchArguments: Fields = {};

  // Handlers come before the handshake: a host may send the tool's input directly after it.
  app.ontoolinput = (params) => {
    launchArguments = params.arguments ?? {};
    launch.set({ status: "running", arguments: launchArguments });
  };
  app.ontoolresult = (result) => {
    const next = toLaunch(launchArguments, result as ToolResult);
    // Some hosts say neither which tool they called nor with what.
    if (next.status === "done" && next.answer.call && !state.get().tool) update(state, { tool: next.answer.call.tool });
    launch.set(next);
  };
  app.ontoolcancelled = (params) =>
    launch.set({ status: "cancelled", arguments: launchArguments, reason: params.reason ?? "" });
  app.onhostcontextchanged = () => takeContext(app, state);
  app.onteardown = () => ({});
  app.connect().then(
    () => {
      takeContext(app, state);
      const { message, updateModelContext, downloadFile } = app.getHostCapabilities() ?? {};
      const abilities = {
        canMessage: message !== undefined,
        canTell: updateModelContext !== undefined,
        canSave: downloadFile !== undefined,
      };
      state.set({ ...state.get(), connection: "connected", ...abilities });
    },
    (error: unknown) => state.set({ ...state.get(), connection: "failed", problem: asFailure(error).message }),
  );

  return {
    launch,
    state,
    call: (tool, args, options) => callTool(app, tool, args, options),
    async tell(text) {
      if (!state.get().canTell) return;
      await app.updateModelContext({ content: [{ type: "text", text }] }).catch(() => undefined);
    },
    async say(text) {
      const message = { role: "user" as const, content: [{ type: "text" as const, text }] };
      const result = await app.sendMessage(message).catch(() => ({ isError: true }));
      return !result.isError;
    },
    async setDisplayMode(mode) {
      const result = await app.requestDisplayMode({ mode }).catch(() => null);
      if (result) update(state, { displayMode: result.mode });
    },
    async download(name, mimeType, text) {
      const resource = { uri: `file:///${encodeURIComponent(name)}`, mimeType, text };
      const result = await app.downloadFile({ contents: [{ type: "resource", resource }] }).catch(() => ({ isError: true }));
      return !result.isError;
    },
  };
}

function toLaunch(args: Fields, result: ToolResult): Launch {
  try {
    const answer = readResult(result);
    const given = Object.keys(args).length ? args : (answer.call?.arguments ?? args);
    return { status: "done", arguments: given, answer };
  } catch (error) {
    return { status: "failed", arguments: args, message: asFailure(error).message };
  }
}

async function callTool<T>(app: App, tool: string, args: Fields, options: CallOptions = {}): Promise<Answer<T>> {
  let result: ToolResult;
  try {
    const limits = { timeout: options.timeoutMs ?? CALL_TIMEOUT_MS, ...(options.signal && { signal: options.signal }) };
    result = (await app.callServerTool({ name: tool, arguments: args }, limits)) as ToolResult;
  } catch (error) {
    if (options.signal?.aborted) throw new DOMException("the call was ended", "AbortError");
    throw new CallFailed("unreachable", explain(error));
  }
  return readResult<T>(result);
}

/** Say in one sentence why no answer came. The server's own errors are results, not exceptions. */
function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/timed? ?out/i.test(message)) return "The server did not answer in time.";
  const missing = explainMissingScope(message);
  if (missing) return missing;
  return `The host did not pass the call on: ${message}`;
}

function takeContext(app: App, state: { get(): HostState; set(value: HostState): void }): void {
  const context = app.getHostContext();
  if (!context) return;
  applyTheme(context);
  const displayMode = context.displayMode ?? "inline";
  update(state, {
    tool: context.toolInfo?.tool.name ?? state.get().tool,
    displayMode,
    canExpand: context.availableDisplayModes?.includes("fullscreen") ?? false,
    maxHeight: displayMode === "fullscreen" ? null : maxHeightOf(context),
    locale: context.locale,
    timeZone: context.timeZone,
  });
}

function update(state: { get(): HostState; set(value: HostState): void }, changes: Partial<HostState>): void {
  state.set({ ...state.get(), ...changes });
}

function maxHeightOf(context: McpUiHostContext): number {
  const size = context.containerDimensions;
  const given = size && ("height" in size ? size.height : "maxHeight" in size ? size.maxHeight : undefined);
  return given ? Math.min(given, MAX_INLINE_HEIGHT_PX) : MAX_INLINE_HEIGHT_PX;
}
