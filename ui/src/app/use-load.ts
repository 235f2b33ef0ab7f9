import { useCallback, useEffect, useState } from "preact/hooks";
import { asFailure, type CallFailed, isAborted } from "../lib/answer";

/** Something that is loaded: `stale` means that `value` belongs to earlier inputs while the new one is on its way. */
export type Loaded<T> =
  | { status: "loading"; value: T | undefined; stale: boolean }
  | { status: "ready"; value: T }
  | { status: "error"; value: T | undefined; error: CallFailed };

/**
 * Load a value, and load it again when an input changes. The answer to earlier inputs is dropped and its call ended.
 *
 * @param load gets a signal that ends the call
 * @param inputs what `load` depends on
 * @returns the state, and a function that loads again
 */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, inputs: readonly unknown[]): [Loaded<T>, () => void] {
  const [state, setState] = useState<Loaded<T>>({ status: "loading", value: undefined, stale: false });
  const [attempt, setAttempt] = useState(0);
  const reload = useCallback(() => setAttempt((number) => number + 1), []);
  useEffect(() => {
    const controller = new AbortController();
    setState((before) => ({ status: "loading", value: before.value, stale: before.value !== undefined }));
    load(controller.signal).then(
      (value) => {
        if (!controller.signal.aborted) setState({ status: "ready", value });
      },
      (error: unknown) => {
        if (controller.signal.aborted || isAborted(error)) return;
        setState((before) => ({ status: "error", value: before.value, error: asFailure(error) }));
      },
    );
    return () => controller.abort();
  }, [...inputs, attempt]);
  return [state, reload];
}
