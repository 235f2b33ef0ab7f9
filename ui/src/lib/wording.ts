/*
 * The wording of the server's questions. The server quotes every value from the directory with plain quotation marks,
 * and no value contains one, so what stands between two of them is a value.
 */

/** A part of a line: text of the server, a value, or the old or new value of a change. */
export interface Part {
  kind: "text" | "value" | "old" | "new";
  text: string;
}

/** A record in a question: what names it, and what is known of it. */
export interface NamedRecord {
  name: string;
  facts: string[];
}

const VALUE = '"[^"]*"';
const CHANGE_OR_VALUE = new RegExp(`(${VALUE}|\\(empty\\)) → (${VALUE}|\\(empty\\))|${VALUE}`, "g");
const RECORD = `((?:[a-z]+ )?${VALUE}) \\(((?:[^"()]|${VALUE})*)\\)`;

/** Split a line into its parts. */
export function splitLine(line: string): Part[] {
  const parts: Part[] = [];
  const add = (kind: Part["kind"], text: string) => void (text && parts.push({ kind, text }));
  let end = 0;
  for (const match of line.matchAll(CHANGE_OR_VALUE)) {
    add("text", line.slice(end, match.index));
    const [all, before, after] = match;
    if (before === undefined || after === undefined) add("value", unquote(all));
    else {
      add(before === "(empty)" ? "text" : "old", unquote(before));
      add("text", " → ");
      add(after === "(empty)" ? "text" : "new", unquote(after));
    }
    end = match.index + all.length;
  }
  add("text", line.slice(end));
  return parts;
}

/** Return a label without what stands in parentheses, and the records in it with what is known of each. */
export function splitRecords(label: string): { title: string; records: NamedRecord[] } {
  const records: NamedRecord[] = [];
  const title = label.replace(new RegExp(RECORD, "g"), (_all, name: string, facts: string) => {
    records.push({ name, facts: splitOutsideValues(facts, ", ") });
    return name;
  });
  return { title, records };
}

/** Split `"Ola" (id 1): one change; another` into name, what is known, and changes; null if the line names no record. */
export function splitItem(line: string): { name: string; known: string; changes: string[] } | null {
  const match = new RegExp(`^${RECORD}: `).exec(line);
  if (!match) return null;
  const [all, name = "", known = ""] = match;
  return { name, known, changes: splitOutsideValues(line.slice(all.length), "; ") };
}

/** Return the heading of a question: `Delete person "Ola"`, but `Erase permanently: person "Ola"`. */
export function headingOf(verb: string, title: string): string {
  return verb.includes(" ") ? `${verb}: ${title}` : `${verb} ${title}`;
}

/** Return a fact with its time in the viewer's format, if it ends in one in UTC: `last changed 2026-11-29 07:12 UTC`. */
export function localizeTime(fact: string, dateTime: (iso: string) => string): string {
  return fact.replace(/(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}) UTC$/, (_all, day: string, time: string) => dateTime(`${day}T${time}Z`));
}

function splitOutsideValues(text: string, separator: string): string[] {
  const parts = [""];
  for (const piece of text.split(new RegExp(`(${VALUE})`))) {
    const [first = "", ...rest] = piece.startsWith('"') ? [piece] : piece.split(separator);
    parts[parts.length - 1] += first;
    parts.push(...rest);
  }
  return parts.filter(Boolean);
}

function unquote(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1) : text;
}
