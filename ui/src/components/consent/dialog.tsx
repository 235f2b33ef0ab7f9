import { useEffect } from "preact/hooks";
import type { Answer } from "../../lib/answer";
import { Button } from "../button";
import { Dialog } from "../dialog";
import { DecisionButtons, FurtherRecords, PhraseField, useEntries } from "./controls";
import { Outcome } from "./outcome";
import { QuestionBody, QuestionTitle } from "./question";
import { type DecisionCall, useDecision } from "./use-decision";

interface ConsentDialogProps {
  call: DecisionCall;
  /** Stands above what is shown before and after the question. */
  title: string;
  /** What to ask if the server needs no consent for the call. */
  plainQuestion: string;
  /** The word on the button for that. */
  plainYes: string;
  onClose: () => void;
  /** Called once, when the call was done. */
  onDone: (answer: Answer) => void;
}

/** Asks about a call in a dialog, and runs it if the person agrees. */
export function ConsentDialog({ call, title, plainQuestion, plainYes, onClose, onDone }: ConsentDialogProps) {
  const [decision, state] = useDecision(call);
  const [entries, change] = useEntries();
  useEffect(() => {
    if (state.status === "done") onDone(state.answer);
    if (state.status === "kept") onClose();
  }, [state.status]);
  const question = state.status === "open" || state.status === "deciding" ? state.question : null;
  const isPlain = state.status === "direct" || (state.status === "deciding" && !question);
  const props = { entries, onChange: change, disabled: state.status === "deciding" };
  return (
    <Dialog title={question ? <QuestionTitle prompt={question.prompt} /> : title} onClose={onClose}>
      {question && (
        <>
          <QuestionBody prompt={question.prompt} />
          <FurtherRecords prompt={question.prompt} {...props} />
          <PhraseField prompt={question.prompt} {...props} />
        </>
      )}
      {isPlain && <p>{plainQuestion}</p>}
      <DecisionButtons decision={decision} state={state} entries={entries} takeFocus {...(isPlain && { yes: plainYes })} />
      {!question && !isPlain && (
        <>
          <Outcome decision={decision} state={state}>
            {null}
          </Outcome>
          <div class="buttons end">
            <Button onClick={onClose}>Close</Button>
          </div>
        </>
      )}
    </Dialog>
  );
}
