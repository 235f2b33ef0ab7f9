import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asFailure, type CallFailed, type Fields, isAborted, readResult } from "../lib/answer";
import { useConnection } from "./context";
import type { Shown } from "./frame";

/** A tool call that opens a view: not made yet, on its way, shown, or failed. */
export type ToolView =
  | { status: "idle" }
  | { status: "running" }
  | { status: "shown"; shown: Shown }
  | { status: "failed"; error: CallFailed };

const LONG_CALL_MS = 600_000;

/** Return the state of a tool call that opens a view, a function that makes the call, and one that forgets it. */
export function useToolView(
  view: Shown["view"],
  tool: string,
): [ToolView, (args: Fields) => void, () => void] {
  const connection = useConnection();
  const [state, setState] = useState<ToolView>({ status: "idle" });
  const running = useRef<AbortController | null>(null);
  const forget = useCallback(() => {
    running.current?.abort();
    setState({ status: "idle" });
  }, []);
  const run = useCallback(
    (args: Fields) => {
      running.current?.abort();
      const controller = new AbortController();
      running.current = controller;
      setState({ status: "running" });
      connection.callRaw(tool, args, { signal: controller.signal, timeoutMs: LONG_CALL_MS }).then(
        (result) => {
          if (controller.signal.aborted) return;
          try {
            readResult(result); // an error is the console's to show: the view would only repeat it
            setState({ status: "shown", shown: { view, tool, arguments: args, result } });
          } catch (error) {
            setState({ status: "failed", error: asFailure(error) });
          }
        },
        (error: unknown) => {
          if (!isAborted(error)) setState({ status: "failed", error: asFailure(error) });
        },
      );
    },
    [connection, view, tool],
  );
  useEffect(() => () => running.current?.abort(), []);
  return [state, run, forget];
}
