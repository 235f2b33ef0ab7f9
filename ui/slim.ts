import type { Plugin } from "vite";

/*
 * Parts of the protocol library that a panel never runs: it describes no schemas to others, and validates no tool's
 * arguments. They are a tenth of the page.
 */
const UNUSED = [
  /zod\/v4\/core\/(to-json-schema|json-schema-processors)\.js$/,
  /@modelcontextprotocol\/client\/dist\/shimsBrowser\.mjs$/,
];

/** Replace the functions of the unused modules: what they return throws when it is called. */
export function leaveOutUnused(): Plugin {
  return {
    name: "leave-out-unused",
    enforce: "pre",
    transform(code, id) {
      if (!UNUSED.some((pattern) => pattern.test(id))) return null;
      const names = exportedNames(code);
      if (!names.length) this.error(`${id} exports nothing that is known; does it still have to be left out?`);
      const lines = names.map((name) => `export const ${name} = leftOut;`);
      return { code: [`const leftOut = () => () => { throw new Error("left out of the panel"); };`, ...lines].join("\n"), map: null };
    },
  };
}

function exportedNames(code: string): string[] {
  const declared = [...code.matchAll(/^export (?:const|function|class) (\w+)/gm)].map((match) => match[1] ?? "");
  const listed = [...code.matchAll(/^export \{([^}]+)\};?/gm)].flatMap((match) => (match[1] ?? "").split(","));
  return [...declared, ...listed.map((item) => item.trim().split(/ as /).at(-1) ?? "").filter(Boolean)];
}
