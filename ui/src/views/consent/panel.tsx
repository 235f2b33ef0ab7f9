import { useEffect } from "preact/hooks";
import {
  type DecisionCall,
  DecisionButtons,
  FurtherRecords,
  Outcome,
  PhraseField,
  QuestionBody,
  QuestionTitle,
  useDecision,
  useEntries,
} from "../../components/consent";
import { ViewHeader } from "../../components/view-header";
import { Done, titleOf } from "./done";

/** One question from its preparation to what happened. */
export function ConsentPanel({ call }: { call: DecisionCall }) {
  const [decision, state] = useDecision(call);
  const [entries, change] = useEntries();
  const question = state.status === "open" || state.status === "deciding" ? state.question : null;
  useEffect(() => change({ typed: "", also: [] }), [question?.secret]);
  if (!question) {
    return (
      <>
        <ViewHeader title={titleOf(call.tool)} />
        <div class="pad scroll">
          <Outcome decision={decision} state={state}>
            {state.status === "done" && <Done tool={call.tool} answer={state.answer.data} />}
          </Outcome>
        </div>
      </>
    );
  }
  const { prompt } = question;
  const props = { prompt, entries, onChange: change, disabled: state.status === "deciding" };
  return (
    <>
      <ViewHeader title={<QuestionTitle prompt={prompt} />} />
      <div class="pad scroll stack">
        <QuestionBody prompt={prompt} />
        <FurtherRecords {...props} />
      </div>
      <div class="footer">
        <PhraseField {...props} />
        <DecisionButtons decision={decision} state={state} entries={entries} takeFocus />
      </div>
    </>
  );
}
