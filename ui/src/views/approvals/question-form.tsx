import { useId, useState } from "preact/hooks";
import { Button } from "../../components/button";
import { Icon } from "../../components/icon";
import { RichText } from "../../components/rich-text";
import { couldMatch, groupEffect, type Prompt } from "../../lib/question";

interface QuestionFormProps {
  prompt: Prompt;
  busy: "" | "keep" | "agree";
  onDecide: (agree: boolean, typed: string, also: readonly string[]) => void;
}

/** A question and its answer. The Enter key keeps everything as it is; only the other button agrees. */
export function QuestionForm({ prompt, busy, onDecide }: QuestionFormProps) {
  const [typed, setTyped] = useState("");
  const [also, setAlso] = useState<readonly string[]>([]);
  const id = useId();
  const isRight = !prompt.phrase || couldMatch(typed, prompt.phrase);
  const word = prompt.yes ? prompt.yes.charAt(0).toUpperCase() + prompt.yes.slice(1) : prompt.verb;
  const toggle = (choice: string) =>
    setAlso((before) => (before.includes(choice) ? before.filter((each) => each !== choice) : [...before, choice]));
  const keep = (event: Event) => {
    event.preventDefault();
    onDecide(false, "", []);
  };
  return (
    <form class="stack" onSubmit={keep}>
      <h2 class="question-title">
        {prompt.verb}
        {prompt.verb.includes(" ") ? ": " : " "}
        <RichText text={prompt.label} />?
      </h2>
      <div class="stack tight">
        {groupEffect(prompt.effect).map((part, index) =>
          Array.isArray(part) ? (
            <ul key={index} class="bullets">
              {part.map((line, at) => (
                <li key={at}>
                  <RichText text={line} />
                </li>
              ))}
            </ul>
          ) : (
            <p key={index}>
              <RichText text={part} />
            </p>
          ),
        )}
      </div>
      {Object.keys(prompt.values).length > 0 && (
        <dl class="values">
          {Object.entries(prompt.values).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <ins>
                  <RichText text={value} />
                </ins>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {prompt.choices.items.length > 0 && (
        <fieldset class="choices">
          <legend>Also erase</legend>
          <p class="muted">{prompt.choices.reason}. They stay unless you tick them.</p>
          {prompt.choices.items.map((choice) => (
            <label key={choice.id} class="choice">
              <input type="checkbox" checked={also.includes(choice.id)} onChange={() => toggle(choice.id)} />
              <span>
                <RichText text={choice.description} />
              </span>
            </label>
          ))}
        </fieldset>
      )}
      {prompt.choices.more && <p class="muted">{prompt.choices.more}</p>}
      {prompt.warning && (
        <p class="danger-line">
          <Icon name="alert" /> {prompt.warning}
        </p>
      )}
      {prompt.phrase && (
        <div class="field">
          <label for={id}>
            To erase, type “<bdi>{prompt.phrase}</bdi>”
          </label>
          <input
            id={id}
            class="input"
            value={typed}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
          <p class="muted">The Enter key keeps it as it is; to erase, use the button.</p>
        </div>
      )}
      <div class="buttons">
        <Button type="submit" busy={busy === "keep"} disabled={busy === "agree"}>
          Keep as it is
        </Button>
        <Button
          tone="danger"
          busy={busy === "agree"}
          disabled={!isRight || busy === "keep"}
          onClick={() => onDecide(true, typed, also)}
        >
          {word}
        </Button>
      </div>
    </form>
  );
}
