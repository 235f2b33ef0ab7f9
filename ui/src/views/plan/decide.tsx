import { useState } from "preact/hooks";
import { Button } from "../../components/button";
import {
  DecisionButtons,
  FurtherRecords,
  Outcome,
  PhraseField,
  QuestionBody,
  QuestionTitle,
  useEntries,
} from "../../components/consent";
import { Dialog } from "../../components/dialog";
import { RichText } from "../../components/rich-text";
import { ErrorNote, Note, Spinner } from "../../components/states";
import type { Decision, DecisionState } from "../../lib/decision";
import { groupEffect, type Prompt } from "../../lib/question";

interface DecideProps {
  decision: Decision;
  state: DecisionState;
  /** The contacts or the file have changed since the plan was made. */
  isStale: boolean;
  isReplanning: boolean;
  onReplan: () => void;
}

/** Apply and Keep, which are the consent itself; or why the plan cannot be applied any more. */
export function Decide({ decision, state, isStale, isReplanning, onReplan }: DecideProps) {
  const [entries, change] = useEntries();
  if (isStale || isConflict(state)) return <Stale isReplanning={isReplanning} onReplan={onReplan} />;
  if (state.status === "asking") {
    return (
      <div class="footer">
        <Spinner label="Preparing the question" />
        <span class="muted">Preparing the question…</span>
      </div>
    );
  }
  const prompt = state.status === "open" || state.status === "deciding" ? state.question?.prompt : undefined;
  const isDecidable = state.status === "open" || state.status === "direct" || state.status === "deciding";
  if (!isDecidable) {
    return (
      <div class="footer outcome">
        <Outcome decision={decision} state={state}>
          {null}
        </Outcome>
      </div>
    );
  }
  const props = { entries, onChange: change, disabled: state.status === "deciding" };
  return (
    <div class="footer">
      {prompt && <Question prompt={prompt} />}
      {prompt && <FurtherRecords prompt={prompt} {...props} />}
      {prompt && <PhraseField prompt={prompt} {...props} />}
      <DecisionButtons
        decision={decision}
        state={state}
        entries={entries}
        isDestructive={prompt ? isDestructive(prompt) : false}
        {...(prompt ? {} : { yes: "Apply" })}
      />
    </div>
  );
}

/** The question in one or two lines; its lists are the rows of the table, and in full behind a button. */
function Question({ prompt }: { prompt: Prompt }) {
  const [isOpen, setIsOpen] = useState(false);
  const lines = groupEffect(prompt.effect).filter((group): group is string => typeof group === "string" && !group.endsWith(":"));
  return (
    <div class="plan-question">
      <strong>
        <QuestionTitle prompt={prompt} />
      </strong>{" "}
      {lines.map((line) => (
        <span key={line} class="muted">
          <RichText text={line} />{" "}
        </span>
      ))}
      <button type="button" class="link" onClick={() => setIsOpen(true)}>
        In full
      </button>
      {isOpen && (
        <Dialog title={`${prompt.verb}?`} onClose={() => setIsOpen(false)}>
          <p>
            <strong>
              <QuestionTitle prompt={prompt} />
            </strong>
          </p>
          <QuestionBody prompt={prompt} />
          <div class="buttons end">
            <Button onClick={() => setIsOpen(false)}>Close</Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

function Stale({ isReplanning, onReplan }: { isReplanning: boolean; onReplan: () => void }) {
  return (
    <div class="footer outcome">
      <Note tone="warning">
        <strong>This plan no longer fits</strong>
        <p>The contacts or the file have changed since it was made. Nothing was changed by it.</p>
      </Note>
      <Button tone="primary" icon="refresh" busy={isReplanning} onClick={onReplan}>
        Plan again
      </Button>
    </div>
  );
}

/** A plan that only adds is no reason for a red button. */
function isDestructive(prompt: Prompt): boolean {
  return Boolean(prompt.phrase || prompt.warning) || /delete|erase|merge|overwrit|replace/i.test([prompt.verb, ...prompt.effect].join(" "));
}

function isConflict(state: DecisionState): boolean {
  return (state.status === "failed" || state.status === "unasked") && state.error.code === "conflict";
}

/** A plan that cannot be shown. */
export function PlanError({ title, message, onRetry }: { title: string; message: string; onRetry?: () => void }) {
  return (
    <div class="pad">
      <ErrorNote title={title} message={message} {...(onRetry && { onRetry })} />
    </div>
  );
}
