import { Button } from "../../components/button";
import { FurtherRecords, PhraseField, QuestionBody, QuestionTitle, useEntries } from "../../components/consent";
import { couldMatch, type Prompt } from "../../lib/question";

interface QuestionFormProps {
  prompt: Prompt;
  busy: "" | "keep" | "agree";
  onDecide: (agree: boolean, typed: string, also: readonly string[]) => void;
}

/** A question and its answer. The Enter key keeps everything as it is; only the other button agrees. */
export function QuestionForm({ prompt, busy, onDecide }: QuestionFormProps) {
  const [entries, change] = useEntries();
  const isReady = !prompt.phrase || couldMatch(entries.typed, prompt.phrase);
  const word = prompt.yes || prompt.verb;
  const props = { prompt, entries, onChange: change, disabled: busy !== "" };
  const keep = (event: Event) => {
    event.preventDefault();
    onDecide(false, "", []);
  };
  return (
    <form class="stack" onSubmit={keep}>
      <h2 class="approval-title">
        <QuestionTitle prompt={prompt} />
      </h2>
      <QuestionBody prompt={prompt} />
      <FurtherRecords {...props} />
      <PhraseField {...props} />
      <div class="buttons">
        <Button type="submit" busy={busy === "keep"} disabled={busy === "agree"}>
          Keep as it is
        </Button>
        <Button
          tone="danger"
          busy={busy === "agree"}
          disabled={!isReady || busy === "keep"}
          onClick={() => onDecide(true, entries.typed, entries.also)}
        >
          {word.charAt(0).toUpperCase() + word.slice(1)}
        </Button>
      </div>
    </form>
  );
}
