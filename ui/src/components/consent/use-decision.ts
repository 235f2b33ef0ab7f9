import { useEffect, useMemo, useState } from "preact/hooks";
import { useHost, useStore } from "../../app/host";
import type { Answer, Fields } from "../../lib/answer";
import { createDecision, type Decision, type DecisionState } from "../../lib/decision";
import type { Question } from "../../lib/question";

/** The call that a person decides on; see `createDecision`. */
export interface DecisionCall {
  tool: string;
  arguments: Fields;
  question?: Question | null;
  summarize?: (answer: Answer) => string;
}

/** Create a decision for a call, and fetch its question if it did not come along. A new `call` object starts again. */
export function useDecision(call: DecisionCall): [Decision, DecisionState] {
  const host = useHost();
  const decision = useMemo(() => createDecision({ host, ...call }), [host, call]);
  useEffect(() => {
    if (!call.question) void decision.ask();
  }, [decision]);
  return [decision, useStore(decision.state)];
}

const TICK_MS = 1000;

/** Return how long an open question can be decided, in words; the decision expires when the time is over. */
export function useTimeLeft(decision: Decision): string {
  const [text, setText] = useState(() => describeTimeLeft(decision.checkExpiry()));
  useEffect(() => {
    const update = () => setText(describeTimeLeft(decision.checkExpiry()));
    update();
    const timer = setInterval(update, TICK_MS);
    return () => clearInterval(timer);
  }, [decision]);
  return text;
}

/** Say how much time is left: minutes, and in the last one seconds in steps of ten. */
export function describeTimeLeft(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds > 60) return `${Math.ceil(seconds / 60)} minutes left`;
  if (seconds > 10) return `${Math.ceil(seconds / 10) * 10} seconds left`;
  return `${seconds} ${seconds === 1 ? "second" : "seconds"} left`;
}
