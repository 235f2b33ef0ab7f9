import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { type Launch, useHost } from "../../app/host";
import { asFailure, type CallFailed, type Fields } from "../../lib/answer";
import { guessPlanTool, planArguments } from "../../lib/plan";
import type { Question } from "../../lib/question";

/** A plan: the call that makes it, its numbers, and the question if that came with the call. */
export interface Plan {
  tool: string;
  /** The arguments without `apply` and `plan`. */
  arguments: Fields;
  answer: Fields;
  /** Empty if the plan changes nothing, or has none (a merge). */
  fingerprint: string;
  question: Question | null;
}

/** The plan that is shown, as far as it is there. */
export interface PlanState {
  plan: Plan | null;
  isLoading: boolean;
  error: CallFailed | null;
  /** Make the plan again from the current data, for other arguments if there are some. */
  replan: (args?: Fields) => void;
}

/** Return the plan of the call that opened the view, and a function that makes it again. */
export function usePlan(launch: Launch & { status: "done" }, hostTool: string): PlanState {
  const host = useHost();
  const first = useMemo(() => toPlan(launch, hostTool), [launch, hostTool]);
  const [plan, setPlan] = useState<Plan | null>(null);
  const [isLoading, setIsLoading] = useState(false);
  const [error, setError] = useState<CallFailed | null>(null);

  const replan = useCallback(
    (args: Fields = first.arguments) => {
      if (first.tool === "merge_contacts") return setPlan({ ...first, question: null });
      setIsLoading(true);
      setError(null);
      host.call(first.tool, args).then(
        ({ data }) => {
          setPlan({ tool: first.tool, arguments: args, answer: data, fingerprint: fingerprintOf(data), question: null });
          setIsLoading(false);
        },
        (failure: unknown) => {
          setError(asFailure(failure));
          setIsLoading(false);
        },
      );
    },
    [host, first],
  );

  useEffect(() => {
    setPlan(first);
    // A call that applies a plan brings the question, but not the numbers.
    if (first.question && first.tool !== "merge_contacts") {
      host.call(first.tool, first.arguments).then(
        ({ data }) => setPlan({ ...first, answer: data, fingerprint: first.fingerprint || fingerprintOf(data) }),
        () => undefined, // the rows and the question are there without them
      );
    }
  }, [host, first]);

  return { plan, isLoading, error, replan };
}

function toPlan(launch: Launch & { status: "done" }, hostTool: string): Plan {
  const { answer } = launch;
  const args = answer.question?.arguments ?? launch.arguments;
  const tool = answer.question?.tool || hostTool || guessPlanTool(args, answer.data);
  const given = args["plan"];
  return {
    tool,
    arguments: planArguments(args),
    answer: answer.question ? {} : answer.data,
    fingerprint: typeof given === "string" && answer.question ? given : fingerprintOf(answer.data),
    question: answer.question,
  };
}

function fingerprintOf(answer: Fields): string {
  return typeof answer["plan"] === "string" ? answer["plan"] : "";
}
