// A client driven by lines of JSON on standard input: a call in, what came of it out.
import { createInterface } from "node:readline";

export const [address, transport, era, asks] = process.argv.slice(2);

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// `call` takes the name and arguments of a tool and request options.
export async function obey(person, { hello, list, call }) {
  say(hello);
  for await (const line of createInterface({ input: process.stdin })) {
    const { tool, ...wanted } = JSON.parse(line);
    say(tool ? await outcome(person, call, tool, wanted) : await list());
  }
}

async function outcome(person, call, name, wanted) {
  const signal = person.attend(wanted);
  const seen = { asked: person.asked, progress: [] };
  const onprogress = ({ progress }) => seen.progress.push(progress);
  try {
    return { ...(await call({ name, arguments: wanted.arguments }, { signal, onprogress })), ...seen };
  } catch (error) {
    return { thrown: String(error), ...seen };
  }
}
