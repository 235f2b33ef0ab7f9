import { useCallback, useEffect, useState } from "preact/hooks";
import { useHost, useStore } from "../app/host";
import { Button } from "../components/button";
import { Icon } from "../components/icon";
import { ErrorNote, Skeleton } from "../components/states";
import type { Status } from "./connection";
import { useConnection } from "./context";
import { PAGES, pageOf } from "./pages";

const COUNT_INTERVAL_MS = 15_000;

interface ConsoleAppProps {
  isOnThisComputer: boolean;
  backend: string;
}

/** The frame of the console: its navigation, the page, and what to do if the connection is gone. */
export function ConsoleApp({ isOnThisComputer, backend }: ConsoleAppProps) {
  const connection = useConnection();
  const status = useStore(connection.status);
  const tools = useStore(connection.tools);
  const fragment = useFragment();
  const [waiting, setWaiting] = useWaitingCount(status === "connected" && tools.has("list_approvals"));
  const page = pageOf(fragment, tools);
  useEffect(() => {
    document.title = `${waiting ? `(${waiting}) ` : ""}${page?.title ?? "Console"} · WAYSCloud Contacts`;
  }, [page, waiting]);

  return (
    <div class="console">
      <a class="skip" href="#main" onClick={focusMain}>
        To the page
      </a>
      <header class="console-head">
        <p class="brand">
          <Icon name="group" />
          <span>WAYSCloud Contacts</span>
        </p>
        <p class="muted backend">{backend}</p>
        {!isOnThisComputer && (
          <Button small tone="quiet" onClick={() => void connection.logOut()}>
            Log out
          </Button>
        )}
      </header>
      <nav class="console-nav" aria-label="Pages">
        {PAGES.map((group, index) => (
          <ul key={index}>
            {group
              .filter((each) => tools.has(each.tool))
              .map((each) => (
                <li key={each.id}>
                  <a class="nav-item" href={`#${each.id}`} aria-current={each === page ? "page" : undefined}>
                    <Icon name={each.icon} />
                    <span>{each.title}</span>
                    {each.id === "approvals" && waiting > 0 && (
                      <span class="nav-count" aria-label={`${waiting} waiting`}>
                        {waiting}
                      </span>
                    )}
                  </a>
                </li>
              ))}
          </ul>
        ))}
      </nav>
      <main class="console-main" id="main" tabIndex={-1} aria-label={page?.title}>
        {status === "connected" && page && <div key={page.id} class="page">{page.render({ tools, onApprovals: setWaiting })}</div>}
        {status === "connected" && !page && <ErrorNote title="There is nothing that you may see" message="Ask the operator of this server for access." />}
        {status === "connecting" && <Skeleton rows={8} label="Connecting" />}
        <Disconnected status={status} isOnThisComputer={isOnThisComputer} />
      </main>
    </div>
  );
}

function focusMain(event: Event): void {
  event.preventDefault(); // the fragment names the page
  document.getElementById("main")?.focus();
}

function Disconnected({ status, isOnThisComputer }: { status: Status; isOnThisComputer: boolean }) {
  const connection = useConnection();
  const problem = useStore(connection.problem);
  if (status === "failed") {
    return <ErrorNote title="The console has no connection to its server" message={problem} onRetry={() => void connection.connect()} />;
  }
  if (status === "stopped" || (status === "ended" && isOnThisComputer)) {
    return <ErrorNote title="The console has ended" message="Run `contacts-mcp open` again; it opens a new window." />;
  }
  if (status === "ended") {
    return <ErrorNote title="You are logged out" message="Log in to go on." onRetry={() => location.reload()} retryLabel="Log in" />;
  }
  return null;
}

function useFragment(): string {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const take = () => setFragment(location.hash);
    addEventListener("hashchange", take);
    return () => removeEventListener("hashchange", take);
  }, []);
  return fragment;
}

/** Count the questions that wait, also while another page is open. */
function useWaitingCount(isOffered: boolean): [number, (count: number) => void] {
  const host = useHost();
  const [count, setCount] = useState(0);
  useEffect(() => {
    if (!isOffered) return undefined;
    const look = () => {
      if (document.hidden || location.hash === "#approvals") return; // the page itself reports its number
      host.call<{ approvals: unknown[] }>("list_approvals", {}).then(
        ({ data }) => setCount(data.approvals.length),
        () => undefined,
      );
    };
    look();
    const timer = setInterval(look, COUNT_INTERVAL_MS);
    return () => clearInterval(timer);
  }, [host, isOffered]);
  return [count, useCallback(setCount, [])];
}
