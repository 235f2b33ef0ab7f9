import { type Answer, asFailure, CallFailed, type Fields } from "./answer";
import type { Question } from "./question";
import { createStore, type Store } from "./store";

/** What a decision needs of the host. */
export interface DecisionHost {
  call<T = Fields>(tool: string, args: Fields, options?: { timeoutMs?: number }): Promise<Answer<T>>;
  tell(text: string): Promise<void>;
}

/**
 * Where a decision stands:
 *
 * - `asking`: the question is being fetched; `unasked`: it could not be
 * - `open`: a person can decide until `expiresAt` (milliseconds, as `now` counts)
 * - `direct`: no question is asked here, because no consent is needed, or because a person is asked elsewhere
 * - `expired`: the time is over; asking again gives a new question
 * - `deciding`: the decision was sent
 * - `done`, `kept`: what happened
 * - `failed`: the server refused, and nothing was changed as far as it says; `unknown`: no answer came
 */
export type DecisionState =
  | { status: "asking" }
  | { status: "unasked"; error: CallFailed }
  | { status: "open"; question: Question; expiresAt: number }
  | { status: "direct"; isAskedElsewhere: boolean }
  | { status: "expired"; question: Question }
  | { status: "deciding"; question: Question | null; agree: boolean }
  | { status: "done"; answer: Answer }
  | { status: "kept" }
  | { status: "failed"; error: CallFailed }
  | { status: "unknown"; error: CallFailed };

/** A call that a person decides on. Only `decide` and `run` change anything; both are for clicks and key presses. */
export interface Decision {
  readonly state: Store<DecisionState>;
  /** Fetch the question, or a new one. */
  ask(): Promise<void>;
  /** Send a person's decision on the open question. `typed` is the phrase, `also` are ids of further records. */
  decide(agree: boolean, typed?: string, also?: readonly string[]): Promise<void>;
  /** Run a call that needs no consent. */
  run(): Promise<void>;
  /** Keep everything as it is, without a question. */
  keep(): void;
  /** Mark the question as expired if its time is over. Returns the milliseconds that are left, 0 if none. */
  checkExpiry(): number;
}

interface DecisionOptions {
  host: DecisionHost;
  tool: string;
  arguments: Fields;
  /** A question that came with the call's result. Without it, `ask` fetches one. */
  question?: Question | null;
  /** Describe what was done, as the end of the sentence for the model: "it erased 2 records". */
  summarize?: (answer: Answer) => string;
  /** The current time in milliseconds. */
  now?: () => number;
}

const RUN_TIMEOUT_MS = 600_000; // an import of many rows takes minutes

/** Create a decision. It is `open` at once if the question is there already. */
export function createDecision(options: DecisionOptions): Decision {
  const { host, tool, summarize, now = () => Date.now() } = options;
  const state = createStore<DecisionState>(
    options.question ? toOpen(options.question, now()) : { status: "asking" },
  );

  async function ask(): Promise<void> {
    state.set({ status: "asking" });
    try {
      const answer = await host.call<{ needs_consent?: boolean }>("ask_in_panel", { tool, arguments: options.arguments });
      if (answer.question) state.set(toOpen(answer.question, now()));
      else state.set({ status: "direct", isAskedElsewhere: answer.data.needs_consent !== false });
    } catch (error) {
      state.set({ status: "unasked", error: asFailure(error) });
    }
  }

  async function decide(agree: boolean, typed = "", also: readonly string[] = []): Promise<void> {
    checkExpiry();
    const current = state.get();
    if (current.status !== "open") return;
    const { question } = current;
    const args = { tool: question.tool, arguments: question.arguments, secret: question.secret, agree, typed, also: [...also] };
    state.set({ status: "deciding", question, agree });
    await finish(agree, () => host.call("decide_in_panel", args, { timeoutMs: RUN_TIMEOUT_MS }));
  }

  async function run(): Promise<void> {
    if (state.get().status !== "direct") return;
    state.set({ status: "deciding", question: null, agree: true });
    await finish(true, () => host.call(tool, options.arguments, { timeoutMs: RUN_TIMEOUT_MS }));
  }

  async function finish(agree: boolean, send: () => Promise<Answer>): Promise<void> {
    try {
      const answer = await send();
      if (answer.question) state.set(toOpen(answer.question, now()));
      else if (!agree) settle({ status: "kept" });
      else if (answer.data["done"] === false) settle({ status: "failed", error: notDone(answer) });
      else settle({ status: "done", answer });
    } catch (error) {
      const failure = asFailure(error);
      if (!agree) settle({ status: "kept" }); // whatever the server says: it was not asked to change anything
      else settle({ status: failure.kind === "refused" ? "failed" : "unknown", error: failure });
    }
  }

  function settle(next: DecisionState): void {
    state.set(next);
    void host.tell(describeForModel(tool, next, summarize));
  }

  function checkExpiry(): number {
    const current = state.get();
    if (current.status !== "open") return 0;
    const left = current.expiresAt - now();
    if (left <= 0) state.set({ status: "expired", question: current.question });
    return Math.max(0, left);
  }

  return { state, ask, decide, run, keep: () => settle({ status: "kept" }), checkExpiry };
}

function toOpen(question: Question, now: number): DecisionState {
  return { status: "open", question, expiresAt: now + question.expiresInSeconds * 1000 };
}

function notDone(answer: Answer): CallFailed {
  const reason = answer.data["reason"];
  return new CallFailed("refused", typeof reason === "string" && reason ? reason : "The server did not run the call.");
}

/** One sentence without values of a contact or of the question. */
function describeForModel(tool: string, state: DecisionState, summarize?: (answer: Answer) => string): string {
  switch (state.status) {
    case "done": {
      const summary = summarize?.(state.answer);
      return `In the panel, the person agreed to ${tool}, and it is done${summary ? `: ${summary}` : ""}.`;
    }
    case "failed":
      return `In the panel, ${tool} was not done: the server refused it.`;
    case "unknown":
      return `In the panel, the person agreed to ${tool}, but no answer came: look whether it was done before trying again.`;
    default:
      return `In the panel, the person kept everything as it is: ${tool} was not done.`;
  }
}
