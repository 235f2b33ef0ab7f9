// The same as scenario.py, for the examples in JavaScript. Run `npm install` in this folder first.
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const STEPS = JSON.parse(readFileSync(new URL("scenario.json", import.meta.url)));
const CONTACT = "<created contact>";
const NEUTRAL = ["any", "unchanged", "auto"];
const INSTALLED = new URL("../../.venv/bin/contacts-mcp", import.meta.url).pathname; // by `uv sync` in a clone

const report = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// The address of a server over HTTP, or the command that starts one over stdio: from this program's arguments.
export function server() {
  const words = process.argv.slice(2);
  if (words[0]?.startsWith("http")) return { url: new URL(words[0]) };
  const contactsMcp = existsSync(INSTALLED) ? INSTALLED : "contacts-mcp";
  const database = join(mkdtempSync(join(tmpdir(), "contacts-")), "contacts.db");
  const [command, ...args] = words.length ? words : [contactsMcp, "serve", "--directory", database];
  return { command, args };
}

// The scripted model. It gives every argument that a tool requires.
export class Script {
  #steps = STEPS.values();
  #call;
  #contact;
  export; // the address of the exported file
  person = new Person();

  // The next call, or undefined at the end. `tools` has the parameters of each by name; `result` is the last call's.
  next(tools, result) {
    if (this.#call) this.#hear(typeof result === "string" ? result : JSON.stringify(result));
    else report({ tools });
    const { value: step } = this.#steps.next();
    this.#call = step && this.#prepare(tools, ...step);
    if (!step) report({ end: true });
    return this.#call;
  }

  // Report the exported file, in clients that can read resources.
  read(text) {
    report({ export: text });
  }

  #hear(result) {
    report({ call: this.#call.tool, arguments: this.#call.arguments, result });
    this.export = result.match(/contacts:\/\/exports\/[0-9a-f-]+/)?.[0] ?? this.export;
    this.#contact ??= result.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/)?.[0];
  }

  #prepare(tools, name, given) {
    const tool = Object.keys(tools).find((offered) => offered.endsWith(name)); // some frameworks put a prefix before it
    const { properties, required = [] } = tools[tool];
    const neutralOnes = required.filter((key) => !(key in given)).map((key) => [key, neutral(properties[key])]);
    const filled = Object.entries(given).map(([key, value]) => [key, value === CONTACT ? this.#contact : value]);
    return { tool, arguments: Object.fromEntries([...filled, ...neutralOnes]) };
  }
}

function neutral({ default: usual, enum: choices, type }) {
  if (usual != null) return usual;
  if (choices) return choices.find((choice) => NEUTRAL.includes(choice)) ?? choices[0];
  return { string: "", array: [], object: {}, boolean: false }[type] ?? 1;
}

// Replaces the person at the screen: says no to the first question and yes to all later ones.
class Person {
  #asked = 0;

  // The answer to a question of the server. A real client shows the message and waits.
  answer = async ({ message, requestedSchema }) => {
    const [[name, choice]] = Object.entries(requestedSchema.properties);
    const agrees = ++this.#asked > 1;
    const content = agrees ? { [name]: choice.enum.find((value) => value !== "keep") } : null;
    report({ question: message, answer: content });
    if (agrees) return { action: "accept", content };
    // A person reads first: the server takes a form that is declined within a second for one that was never shown.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    return { action: "decline" };
  };
}
