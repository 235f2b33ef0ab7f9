import type { ComponentChildren } from "preact";
import type { Decision, DecisionState } from "../../lib/decision";
import { Button } from "../button";
import { ErrorNote, Note, Skeleton } from "../states";

interface OutcomeProps {
  decision: Decision;
  state: DecisionState;
  /** What to show when it is done. */
  children: ComponentChildren;
  /** Replaces the offer to ask again after a failure. */
  onFailed?: ComponentChildren;
}

/** What became of a decision; nothing while the question is open. */
export function Outcome({ decision, state, children, onFailed }: OutcomeProps) {
  const askAgain = () => void decision.ask();
  switch (state.status) {
    case "asking":
      return <Skeleton rows={4} label="Preparing the question" />;
    case "unasked":
      return <ErrorNote title="The question could not be prepared" message={state.error.message} onRetry={askAgain} />;
    case "expired":
      return (
        <Note tone="warning">
          <strong>This question has expired</strong>
          <p>Nothing was changed. Asking again looks at the current data.</p>
          <div class="buttons note-buttons">
            <Button small onClick={askAgain}>
              Ask again
            </Button>
          </div>
        </Note>
      );
    case "kept":
      return (
        <Note>
          <strong>Kept as it is</strong>
          <p>
            Nothing was changed.{" "}
            <button type="button" class="link" onClick={askAgain}>
              Ask again
            </button>
          </p>
        </Note>
      );
    case "failed":
      return (
        <>
          <ErrorNote title="This was not done" message={state.error.message} onRetry={askAgain} retryLabel="Ask again" />
          {onFailed}
        </>
      );
    case "unknown":
      return (
        <ErrorNote
          title="It is not known whether this was done"
          message={`${state.error.message} Look at the record before you try again.`}
          onRetry={askAgain}
          retryLabel="Ask again"
        />
      );
    case "done":
      return <>{children}</>;
    default:
      return null;
  }
}
