import { AppBridge, type McpUiHostContext, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";
import panel from "../../src/contacts_mcp/panel/panel.html?raw";
import { FakeServer } from "./fake-server";
import { type Scene, SCENES } from "./scenes";

/*
 * A host for trying the panels: index.html?scene=NAME&theme=dark&mode=fullscreen&delay=MILLISECONDS&fail=TOOL
 * With a function `callServer(tool, arguments)` in the window, which a test can put there, a real server answers; then
 * `view`, `tool` and `arguments` (JSON) replace `scene`.
 * The view runs in a sandbox with an opaque origin and the strictest content policy, as in the hosts.
 */
const CONTENT_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

const parameters = new URLSearchParams(location.search);
const remote = (window as { callServer?: (tool: string, args: object) => Promise<object> }).callServer;
const given = parameters.get("tool");
const scene: Scene | undefined = given
  ? { view: parameters.get("view") ?? "consent", tool: given, arguments: JSON.parse(parameters.get("arguments") ?? "{}") }
  : SCENES[parameters.get("scene") ?? "contacts"];
if (!scene) throw new Error(`no such scene; there are ${Object.keys(SCENES).join(", ")}`);
const theme = parameters.get("theme") === "dark" ? "dark" : "light";
const mode = parameters.get("mode") === "fullscreen" ? "fullscreen" : "inline";
document.documentElement.style.colorScheme = theme;
document.body.classList.toggle("fullscreen", mode === "fullscreen");

const server = new FakeServer(Number(parameters.get("delay") ?? 0), parameters.get("fail") ?? "");
const frame = document.getElementById("view") as HTMLIFrameElement;
const context: McpUiHostContext = {
  theme,
  displayMode: mode,
  availableDisplayModes: ["inline", "fullscreen"],
  locale: parameters.get("locale") ?? "en-GB",
  timeZone: "Europe/Oslo",
  containerDimensions: { maxHeight: 500, maxWidth: 760 },
  toolInfo: { tool: { name: scene.tool, inputSchema: { type: "object" } } },
};
const bridge = new AppBridge(
  null,
  { name: "dev-host", version: "1" },
  { serverTools: {}, message: { text: {} }, updateModelContext: { text: {} }, downloadFile: {} },
  { hostContext: context },
);

bridge.oncalltool = async (params) => {
  write(`call ${params.name}`);
  const args = params.arguments ?? {};
  return (await (remote ? remote(params.name, args) : server.call(params.name, args))) as never;
};
bridge.onsizechange = ({ height }) => {
  if (height) frame.style.height = `${height}px`;
};
bridge.onmessage = async (params) => {
  write(`message ${JSON.stringify(params.content)}`);
  return {};
};
bridge.onupdatemodelcontext = async (params) => {
  write(`model ${JSON.stringify(params.content)}`);
  return {};
};
bridge.ondownloadfile = async (params) => {
  write(`download ${JSON.stringify(params.contents).slice(0, 200)}`);
  return {};
};
bridge.onrequestdisplaymode = async (params) => {
  document.body.classList.toggle("fullscreen", params.mode === "fullscreen");
  bridge.setHostContext({ ...context, displayMode: params.mode });
  return { mode: params.mode };
};
bridge.oninitialized = async () => {
  await bridge.sendToolInput({ arguments: scene.arguments });
  if (scene.pending) return;
  await bridge.sendToolResult((await (remote ? remote(scene.tool, scene.arguments) : server.open(scene))) as never);
};

const policy = `<meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}">`;
frame.srcdoc = panel.replace('data-view=""', `data-view="${scene.view}"`).replace("<head>", `<head>${policy}`);
const target = frame.contentWindow;
if (target) await bridge.connect(new PostMessageTransport(target, target));

function write(line: string): void {
  document.getElementById("log")?.append(`${line}\n`);
}
