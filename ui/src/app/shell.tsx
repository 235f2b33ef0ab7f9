import { Component, type ComponentChildren } from "preact";
import { ErrorNote } from "../components/states";
import { VIEWS } from "../views";
import { useHostState } from "./host";

/** The frame around a view: its height, and what to show if there is no view, no host, or an error of our own. */
export function Shell({ view }: { view: string }) {
  const { connection, problem, displayMode, maxHeight } = useHostState();
  const View = VIEWS[view];
  const style = maxHeight === null ? undefined : { maxHeight: `${maxHeight}px` };
  return (
    <main class={`shell ${displayMode}`} style={style}>
      <ErrorBoundary>
        {!View ? (
          <ErrorNote title="This panel has no such view" message={`The server asked for "${view}". Restart it, so that server and panel have the same version.`} />
        ) : connection === "failed" ? (
          <ErrorNote title="No connection to the host" message={problem} />
        ) : (
          <View />
        )}
      </ErrorBoundary>
    </main>
  );
}

/** Shows an error of a view in place of it. */
class ErrorBoundary extends Component<{ children: ComponentChildren }, { message: string }> {
  override state = { message: "" };

  override componentDidCatch(error: unknown): void {
    this.setState({ message: error instanceof Error ? error.message : String(error) });
  }

  override render() {
    if (!this.state.message) return this.props.children;
    const retry = () => this.setState({ message: "" });
    return <ErrorNote title="This panel has stopped because of an error" message={this.state.message} onRetry={retry} />;
  }
}
