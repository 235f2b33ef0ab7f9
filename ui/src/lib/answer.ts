import type { Question } from "./question";
import { readQuestion } from "./question";

/** A JSON object whose fields are unknown. */
export type Fields = Record<string, unknown>;

/** What a tool answered: its structured content, its text, and the question to a person, if it needs consent. */
export interface Answer<T = Fields> {
  data: T;
  text: string;
  question: Question | null;
  /** The call that was answered, if the server says it; some hosts do not. */
  call: ToolCall | null;
}

/** A call of a tool. */
export interface ToolCall {
  tool: string;
  arguments: Fields;
}

const CALL_META = "services.wayscloud/call";

function readCall(meta: Fields | undefined): ToolCall | null {
  const call = meta?.[CALL_META] as Partial<ToolCall> | undefined;
  return typeof call?.tool === "string" ? { tool: call.tool, arguments: call.arguments ?? {} } : null;
}

/** A tool's result as the host passes it on. */
export interface ToolResult {
  content?: readonly { type: string; text?: string }[] | undefined;
  structuredContent?: Fields | undefined;
  isError?: boolean | undefined;
  _meta?: Fields | undefined;
}

/**
 * Why a call failed: `refused` if the tool answered with an error, `unreachable` if no answer came.
 *
 * A tool's error is one line, `code: what happened; what to do next`; `code` is its first word, or empty.
 */
export class CallFailed extends Error {
  constructor(
    readonly kind: "refused" | "unreachable",
    message: string,
    readonly code = "",
  ) {
    super(message);
    this.name = "CallFailed";
  }
}

/** Read a tool's result. Throws CallFailed if it is an error. */
export function readResult<T = Fields>(result: ToolResult): Answer<T> {
  const text = textOf(result);
  if (result.isError) throw toFailure(text);
  const data = result.structuredContent ?? parseObject(text) ?? {};
  return { data: data as T, text, question: readQuestion(result._meta), call: readCall(result._meta) };
}

/** Return a thrown value as a CallFailed. */
export function asFailure(error: unknown): CallFailed {
  if (error instanceof CallFailed) return error;
  return new CallFailed("unreachable", error instanceof Error ? error.message : String(error));
}

/** Return whether a call was ended by its AbortSignal. */
export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

function textOf(result: ToolResult): string {
  return (result.content ?? []).flatMap((block) => (block.type === "text" && block.text ? [block.text] : [])).join("\n");
}

function toFailure(text: string): CallFailed {
  const line = text.trim() || "The server gave no reason.";
  const match = /^([a-z][a-z0-9_]*): +(.+)$/s.exec(line);
  if (match?.[1] === "unknown_tool") return new CallFailed("refused", NOT_OFFERED, match[1]); // the line is for a model
  return match ? new CallFailed("refused", sentence(match[2] ?? line), match[1]) : new CallFailed("refused", sentence(line));
}

const NOT_OFFERED = "Your login does not allow this, or the operator of the server has switched it off. Nothing was changed.";

/** Return what to say about a call that the host or the network refused, because the login allows too little; else null. */
export function explainMissingScope(message: string): string | null {
  if (!/insufficient[ _]scope|\b403\b|forbidden/i.test(message)) return null;
  const scopes = /\bneeds (contacts:[a-z]+(?: and contacts:[a-z]+)*)/.exec(message)?.[1];
  const needed = scopes ? `: it needs ${scopes}` : "";
  return `Your login does not allow this${needed}. Nothing was changed. Log in again, and allow it.`;
}

/** Begin with a capital letter and end with a full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (!trimmed) return "";
  const capital = trimmed.charAt(0).toLocaleUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}

function parseObject(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
  } catch {
    return null;
  }
}
