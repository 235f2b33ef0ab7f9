import { singleFile } from "./single-file.ts";

export default {
  ...singleFile("console.html", 350_000),
  // The library of MCP Apps writes each message to the browser's log, also the secret of a question.
  define: { "console.debug": "(() => undefined)" },
};
