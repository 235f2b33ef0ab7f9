import { useEffect } from "preact/hooks";
import { ErrorNote, Skeleton } from "../../components/states";
import type { Fields } from "../../lib/answer";
import { type Shown, ViewFrame } from "../frame";
import { type ToolView, useToolView } from "../use-tool-view";

interface ToolPageProps {
  title: string;
  view: Shown["view"];
  tool: string;
  arguments: Fields;
}

/** A page that makes one call and shows its view. */
export function ToolPage({ title, view, tool, arguments: args }: ToolPageProps) {
  const [state, run] = useToolView(view, tool);
  useEffect(() => run(args), [tool, JSON.stringify(args)]);
  return <ToolViewArea title={title} state={state} onRetry={() => run(args)} />;
}

/** The place of a view: what shows while its call runs, and if it fails. */
export function ToolViewArea({ title, state, onRetry }: { title: string; state: ToolView; onRetry: () => void }) {
  if (state.status === "shown") return <ViewFrame shown={state.shown} title={title} />;
  return (
    <div class="shell fullscreen">
      <h1 class="page-title">{title}</h1>
      {state.status === "failed" ? (
        <ErrorNote title="This did not work" message={state.error.message} onRetry={onRetry} />
      ) : (
        <Skeleton rows={8} label="Loading" />
      )}
    </div>
  );
}
