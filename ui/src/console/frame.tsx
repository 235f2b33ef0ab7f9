import { AppBridge, type McpUiHostContext, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";
import { useEffect, useRef } from "preact/hooks";
import type { Fields, ToolResult } from "../lib/answer";
import { saveFile, type Connection } from "./connection";
import { useConnection } from "./context";

/** A tool call, and the view that shows its result. */
export interface Shown {
  view: "contacts" | "plan" | "duplicates" | "audience" | "consent";
  tool: string;
  arguments: Fields;
  result: ToolResult;
}

/** Tools that only the console's own pages call: a view in a frame is code with fewer rights. */
const CONSOLE_TOOLS: ReadonlySet<string> = new Set([
  "list_approvals",
  "decide_approval",
  "read_audit_trail",
  "verify_audit_trail",
  "list_receipts",
  "list_backups",
]);

/** Show a view in a frame without an origin, as a host of MCP Apps does, and answer what it asks of its host. */
export function ViewFrame({ shown, title }: { shown: Shown; title: string }) {
  const frame = useRef<HTMLIFrameElement>(null);
  const connection = useConnection();
  useEffect(() => {
    const element = frame.current;
    if (!element?.contentWindow) return;
    const bridge = createBridge(connection, shown);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const takeTheme = () => bridge.setHostContext(hostContext(shown));
    dark.addEventListener("change", takeTheme);
    // The address is set once the bridge listens: the view sends its first message as soon as it runs.
    void bridge
      .connect(new PostMessageTransport(element.contentWindow, element.contentWindow))
      .then(() => {
        element.src = `view/${shown.view}.html`;
      });
    return () => {
      dark.removeEventListener("change", takeTheme);
      void bridge.close();
    };
  }, [connection, shown]);
  return <iframe key={shown.view} ref={frame} class="frame" title={title} sandbox="allow-scripts" />;
}

function createBridge(connection: Connection, shown: Shown): AppBridge {
  const capabilities = { serverTools: {}, downloadFile: {} }; // there is no model to tell anything
  const bridge = new AppBridge(null, { name: "contacts-console", version: "1" }, capabilities, {
    hostContext: hostContext(shown),
  });
  bridge.oninitialized = () => {
    void bridge.sendToolInput({ arguments: shown.arguments });
    void bridge.sendToolResult(shown.result as never);
  };
  bridge.oncalltool = async (params) => {
    if (CONSOLE_TOOLS.has(params.name)) {
      return { content: [{ type: "text", text: "refused: a view cannot call this tool" }], isError: true };
    }
    return (await connection.callRaw(params.name, (params.arguments ?? {}) as Fields)) as never;
  };
  bridge.ondownloadfile = async (params) => {
    for (const item of params.contents) {
      if (item.type !== "resource" || !("text" in item.resource)) continue;
      const name = decodeURIComponent(item.resource.uri.split("/").pop() ?? "file");
      saveFile(name, new Blob([item.resource.text], { type: item.resource.mimeType ?? "text/plain" }));
    }
    return {};
  };
  return bridge;
}

function hostContext(shown: Shown): McpUiHostContext {
  return {
    theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
    displayMode: "fullscreen",
    availableDisplayModes: [],
    locale: navigator.language,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    platform: "web",
    toolInfo: { tool: { name: shown.tool, inputSchema: { type: "object" } } },
  };
}
