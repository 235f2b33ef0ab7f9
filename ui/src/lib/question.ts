/** The key of a result's `_meta` that holds the question. Hosts keep `_meta` from the model. */
export const QUESTION_KEY = "services.wayscloud/question";

/** A further record that a person can include in an erasure. */
export interface Choice {
  id: string;
  name: string;
  description: string;
}

/** What a person reads and can answer; see `Prompt` of the guard. */
export interface Prompt {
  verb: string;
  label: string;
  effect: readonly string[];
  choices: { reason: string; items: readonly Choice[]; more: string };
  values: Readonly<Record<string, string>>;
  phrase: string;
  yes: string;
  warning: string;
}

/** A call that waits for a person's decision. The secret is for `decide_in_panel` and goes nowhere else. */
export interface Question {
  tool: string;
  arguments: Readonly<Record<string, unknown>>;
  secret: string;
  expiresInSeconds: number;
  prompt: Prompt;
}

type Fields = Record<string, unknown>;

/** Read the question of a result's `_meta`. Returns null if there is none, or if it is not complete. */
export function readQuestion(meta: Fields | undefined): Question | null {
  const raw = fields(meta?.[QUESTION_KEY]);
  const prompt = fields(raw?.["prompt"]);
  if (!raw || !prompt || !raw["tool"] || !raw["secret"]) return null;
  const choices = fields(prompt["choices"]) ?? {};
  return {
    tool: text(raw["tool"]),
    arguments: fields(raw["arguments"]) ?? {},
    secret: text(raw["secret"]),
    expiresInSeconds: Number(raw["expires_in_seconds"]) || 0,
    prompt: {
      verb: text(prompt["verb"]) || "Change",
      label: text(prompt["label"]),
      effect: list(prompt["effect"]).map(text),
      choices: { reason: text(choices["reason"]), items: list(choices["items"]).map(readChoice), more: text(choices["more"]) },
      values: Object.fromEntries(Object.entries(fields(prompt["values"]) ?? {}).map(([name, value]) => [name, text(value)])),
      phrase: text(prompt["phrase"]),
      yes: text(prompt["yes"]),
      warning: text(prompt["warning"]),
    },
  };
}

/**
 * Return whether a typed text could be the phrase: equal but for case, accents, spaces and invisible characters.
 *
 * The server decides; this only enables the button.
 */
export function couldMatch(typed: string, phrase: string): boolean {
  return fold(typed) === fold(phrase);
}

/** Split the effect into lines and lists: consecutive lines that begin with "- " are one list. */
export function groupEffect(effect: readonly string[]): (string | string[])[] {
  const groups: (string | string[])[] = [];
  for (const line of effect) {
    if (!line.trim()) continue;
    const item = /^\s*- (.*)$/s.exec(line)?.[1];
    const last = groups.at(-1);
    if (item === undefined) groups.push(line);
    else if (Array.isArray(last)) last.push(item);
    else groups.push([item]);
  }
  return groups;
}

function fold(value: string): string {
  return value
    .normalize("NFKD")
    .replace(/[\p{M}\p{Cf}]/gu, "")
    .replace(/\s+/g, " ")
    .trim()
    .toLowerCase();
}

function readChoice(value: unknown): Choice {
  const raw = fields(value) ?? {};
  return { id: text(raw["id"]), name: text(raw["name"]), description: text(raw["description"]) };
}

function fields(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : value === undefined || value === null ? "" : String(value);
}
