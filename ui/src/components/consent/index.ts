export { DecisionButtons, FurtherRecords, PhraseField, useEntries } from "./controls";
export { ConsentDialog } from "./dialog";
export { Outcome } from "./outcome";
export { Effect, QuestionBody, QuestionTitle } from "./question";
export { type DecisionCall, useDecision } from "./use-decision";
