import { singleFile } from "./single-file.ts";
import { leaveOutUnused } from "./slim.ts";

const page = singleFile("console.html", 350_000);

export default {
  ...page,
  plugins: [leaveOutUnused(), ...(page.plugins ?? [])],
  // The library of MCP Apps writes each message to the browser's log, also the secret of a question.
  define: { "console.debug": "(() => undefined)" },
};
