import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import type { Answer, Fields } from "../lib/answer";
import type { Store } from "../lib/store";

/** The tool call that opened the view, as far as it has come. */
export type Launch =
  | { status: "waiting" }
  | { status: "running"; arguments: Fields }
  | { status: "done"; arguments: Fields; answer: Answer }
  | { status: "failed"; arguments: Fields; message: string }
  | { status: "cancelled"; arguments: Fields; reason: string };

/** What the host says about itself and the space that the view has. */
export interface HostState {
  connection: "connecting" | "connected" | "failed";
  /** Why the connection failed. */
  problem: string;
  /** The tool that opened the view; empty if the host does not say so. */
  tool: string;
  displayMode: "inline" | "fullscreen" | "pip";
  canExpand: boolean;
  /** Largest height of the view in pixels; null in full screen. */
  maxHeight: number | null;
  locale: string | undefined;
  timeZone: string | undefined;
  /** Whether `say` reaches the conversation. */
  canMessage: boolean;
  /** Whether `tell` reaches a model; there is none behind a console. */
  canTell: boolean;
  /** Whether `download` can save a file. */
  canSave: boolean;
}

/** A call's options: `signal` ends it, `timeoutMs` replaces the usual time limit. */
export interface CallOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** The host that shows the view. Everything a view does goes through it. */
export interface Host {
  readonly launch: Store<Launch>;
  readonly state: Store<HostState>;
  /** Call a tool of the server. Throws CallFailed, or the signal's AbortError. */
  call<T = Fields>(tool: string, args: Fields, options?: CallOptions): Promise<Answer<T>>;
  /** Tell the model what happened in the view, for its next answer. Failures are ignored: it is only a courtesy. */
  tell(text: string): Promise<void>;
  /** Send a message to the conversation as if the person had written it. Returns whether the host accepted it. */
  say(text: string): Promise<boolean>;
  /** Switch between inline and full screen. */
  setDisplayMode(mode: "inline" | "fullscreen"): Promise<void>;
  /** Save a text as a file, through the host if it offers this. Returns whether the host accepted it. */
  download(name: string, mimeType: string, text: string): Promise<boolean>;
}

const HostContext = createContext<Host | null>(null);

export const HostProvider = HostContext.Provider;

/** Return the host. Only inside of HostProvider. */
export function useHost(): Host {
  const host = useContext(HostContext);
  if (!host) throw new Error("useHost needs a HostProvider");
  return host;
}

/** Return a store's value, and render again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(store.get);
  useEffect(() => {
    setValue(store.get());
    return store.subscribe(() => setValue(store.get()));
  }, [store]);
  return value;
}

/** Return the tool call that opened the view. */
export function useLaunch(): Launch {
  return useStore(useHost().launch);
}

/** Return what the host says about itself. */
export function useHostState(): HostState {
  return useStore(useHost().state);
}
