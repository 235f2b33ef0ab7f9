import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Decision, DecisionState } from "../../lib/decision";
import { couldMatch, type Prompt } from "../../lib/question";
import { Button } from "../button";
import { RichText } from "../rich-text";
import { useTimeLeft } from "./use-decision";

/** What a person enters beside the buttons: the typed phrase, and the ids of further records. */
export interface Entries {
  typed: string;
  also: readonly string[];
}

/** Return the entries for a question, and a function that changes them. */
export function useEntries(): [Entries, (changes: Partial<Entries>) => void] {
  const [entries, setEntries] = useState<Entries>({ typed: "", also: [] });
  return [entries, (changes) => setEntries((before) => ({ ...before, ...changes }))];
}

interface EntriesProps {
  prompt: Prompt;
  entries: Entries;
  onChange: (changes: Partial<Entries>) => void;
  disabled: boolean;
}

/** Check boxes for further records. They stay unless a person ticks them. */
export function FurtherRecords({ prompt, entries, onChange, disabled }: EntriesProps) {
  const { items, reason, more } = prompt.choices;
  if (!items.length) return more ? <p class="muted">{more}</p> : null;
  const toggle = (id: string, isOn: boolean) =>
    onChange({ also: isOn ? [...entries.also, id] : entries.also.filter((each) => each !== id) });
  return (
    <fieldset class="further" disabled={disabled}>
      <legend>{prompt.phrase ? "Also erase" : "Also include"}</legend>
      {reason && <p class="muted">{reason}. They stay unless you tick them.</p>}
      {items.map((item) => (
        <label key={item.id} class="check">
          <input
            type="checkbox"
            checked={entries.also.includes(item.id)}
            onChange={(event) => toggle(item.id, event.currentTarget.checked)}
          />
          <span>
            <RichText text={item.description || item.name} />
          </span>
        </label>
      ))}
      {more && <p class="muted">{more}</p>}
    </fieldset>
  );
}

/** The field for the phrase that a person types to erase. Enter does nothing here: only the button erases. */
export function PhraseField({ prompt, entries, onChange, disabled }: EntriesProps) {
  const id = useId();
  if (!prompt.phrase) return null;
  return (
    <div class="field">
      <label for={id}>
        Type <strong class="phrase">{prompt.phrase}</strong> to confirm
      </label>
      <input
        id={id}
        class="input"
        type="text"
        value={entries.typed}
        disabled={disabled}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        dir="auto"
        onInput={(event) => onChange({ typed: event.currentTarget.value })}
      />
    </div>
  );
}

interface DecisionButtonsProps {
  decision: Decision;
  state: DecisionState;
  entries: Entries;
  /** The word on the button that agrees. Default: that of the question. */
  yes?: string;
  keep?: string;
  /** Whether agreeing destroys something, so that its button is red. */
  isDestructive?: boolean;
  /** Moves the focus to Keep when the question opens. */
  takeFocus?: boolean;
}

/** Keep and agree, with the time that is left. Only these buttons decide. */
export function DecisionButtons(props: DecisionButtonsProps) {
  const { decision, state, entries, keep = "Keep", isDestructive = true, takeFocus = false } = props;
  const keepButton = useRef<HTMLButtonElement>(null);
  const isOpen = state.status === "open" || state.status === "direct";
  useEffect(() => {
    if (takeFocus && isOpen) keepButton.current?.focus({ preventScroll: true });
  }, [isOpen, takeFocus]);
  const deciding = state.status === "deciding" ? state : null;
  if (!isOpen && !deciding) return null;
  const prompt = state.status === "open" ? state.question.prompt : deciding?.question?.prompt;
  const yes = props.yes ?? capitalize(prompt?.yes || prompt?.verb || "Continue");
  const agree = () => void (state.status === "direct" ? decision.run() : decision.decide(true, entries.typed, entries.also));
  const refuse = () => void (state.status === "direct" ? decision.keep() : decision.decide(false));
  const isReady = !prompt?.phrase || couldMatch(entries.typed, prompt.phrase);
  return (
    <div class="buttons decision">
      {state.status === "open" && <TimeLeft decision={decision} />}
      {state.status === "direct" && state.isAskedElsewhere && <span class="muted">Consent is asked for elsewhere.</span>}
      <span class="spacer" />
      <Button buttonRef={keepButton} onClick={refuse} busy={deciding?.agree === false} disabled={deciding?.agree === true}>
        {keep}
      </Button>
      <Button
        tone={isDestructive ? "danger" : "primary"}
        onClick={agree}
        busy={deciding?.agree === true}
        disabled={!isReady || deciding?.agree === false}
      >
        {yes}
      </Button>
    </div>
  );
}

function TimeLeft({ decision }: { decision: Decision }) {
  return <span class="muted">{useTimeLeft(decision)}</span>;
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
