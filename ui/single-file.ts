import type { Plugin, UserConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

/**
 * Configure the build of one self-contained page. The same sources give the same bytes.
 *
 * @param page the page's HTML file in this folder
 * @param maxBytes the build fails if the page becomes larger
 */
export function singleFile(page: string, maxBytes: number): UserConfig {
  return {
    plugins: [viteSingleFile(), checkPage(page, maxBytes)],
    build: {
      target: "es2022",
      modulePreload: false,
      outDir: process.env["PANEL_OUT_DIR"] ?? "../src/contacts_mcp/panel", // CI builds elsewhere, and compares
      emptyOutDir: false, // the other page and the Python module are there
      reportCompressedSize: false,
      rolldownOptions: { input: page },
    },
  };
}

/** Fail the build if the page is too large, loads anything, or does not have exactly one place for the view's name. */
function checkPage(page: string, maxBytes: number): Plugin {
  return {
    name: "check-page",
    enforce: "post",
    writeBundle(_options, bundle) {
      const files = Object.keys(bundle);
      const output = bundle[page];
      if (output?.type !== "asset" || files.length !== 1) this.error(`expected only ${page}, found ${files.join(", ")}`);
      const html = String(output.source);
      const size = Buffer.byteLength(html);
      if (size > maxBytes) this.error(`${page} has ${size} bytes; at most ${maxBytes} are allowed`);
      if (page === "panel.html" && html.split('data-view=""').length !== 2) this.error(`${page} needs data-view="" once`);
      if (/<(script|link|img)[^>]*\s(src|href)=/.test(html)) this.error(`${page} loads another file`);
    },
  };
}
