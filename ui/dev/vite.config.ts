import { defineConfig } from "vite";

/** Serves the host page of this folder, which shows the built panel with recorded answers. */
export default defineConfig({
  root: "dev",
  cacheDir: "../node_modules/.vite-dev",
  server: { fs: { allow: ["../.."] } },
});
