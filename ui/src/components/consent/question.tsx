import { useFormat } from "../../app/format";
import { groupEffect, type Prompt } from "../../lib/question";
import { headingOf, localizeTime, type NamedRecord, splitItem, splitRecords } from "../../lib/wording";
import { RichText } from "../rich-text";

/** What a call would do: the records, what happens to them, and the new values. */
export function QuestionBody({ prompt }: { prompt: Prompt }) {
  return (
    <div class="question stack">
      <Records label={prompt.label} />
      <Effect lines={prompt.effect} />
      <Values values={prompt.values} />
      {prompt.warning && <p class="question-warning">{prompt.warning}</p>}
    </div>
  );
}

/** The heading of a question, such as: Delete person “Ola Nordmann”? */
export function QuestionTitle({ prompt }: { prompt: Prompt }) {
  const { title } = splitRecords(prompt.label);
  return (
    <>
      <RichText text={headingOf(prompt.verb, title)} />?
    </>
  );
}

function Records({ label }: { label: string }) {
  const { records } = splitRecords(label);
  if (!records.length) return null;
  return (
    <div class="stack">
      {records.map((record, index) => (
        <div key={index}>
          {records.length > 1 && (
            <h3>
              <RichText text={record.name} />
            </h3>
          )}
          <Facts facts={record.facts} />
        </div>
      ))}
    </div>
  );
}

function Facts({ facts }: { facts: readonly string[] }) {
  return (
    <ul class="facts">
      {facts.map((fact) => (
        <li key={fact}>
          <Fact text={fact} />
        </li>
      ))}
    </ul>
  );
}

/** A fact that is only a value needs no quotation marks here: it stands alone. */
function Fact({ text }: { text: string }) {
  const format = useFormat();
  const id = /^id (\S+)$/.exec(text)?.[1];
  if (id) return <span title={id}>id {id.length > 13 ? `${id.slice(0, 8)}…` : id}</span>;
  const value = /^"([^"]*)"$/.exec(text)?.[1];
  return value === undefined ? <RichText text={localizeTime(text, format.dateTime)} /> : <bdi>{value}</bdi>;
}

/** The lines of an effect; consecutive list lines become a list, with a name and its changes set apart. */
export function Effect({ lines }: { lines: readonly string[] }) {
  return (
    <>
      {groupEffect(lines).map((group, index) =>
        typeof group === "string" ? (
          <p key={index}>
            <RichText text={group} />
          </p>
        ) : (
          <ul key={index} class="entries">
            {group.map((line, at) => (
              <li key={at}>
                <EffectItem line={line} />
              </li>
            ))}
          </ul>
        ),
      )}
    </>
  );
}

function EffectItem({ line }: { line: string }) {
  const item = splitItem(line);
  const { title, records } = splitRecords(line);
  const [only] = records;
  if (only && only.name === title) return <RecordItem record={only} />;
  if (!item) return <RichText text={line} />;
  return (
    <>
      <strong>
        <RichText text={item.name} />
      </strong>{" "}
      <span class="muted">{item.known}</span>
      {item.changes.map((change, index) => (
        <div key={index}>
          <RichText text={change} />
        </div>
      ))}
    </>
  );
}

/** A record in a list: its name, and what is known of it. */
function RecordItem({ record }: { record: NamedRecord }) {
  return (
    <>
      <strong>
        <RichText text={record.name} />
      </strong>{" "}
      <Facts facts={record.facts} />
    </>
  );
}

function Values({ values }: { values: Readonly<Record<string, string>> }) {
  const entries = Object.entries(values);
  if (!entries.length) return null;
  return (
    <dl class="pairs">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name.replaceAll("_", " ")}</dt>
          <dd>
            <ins>
              <RichText text={value} />
            </ins>
          </dd>
        </div>
      ))}
    </dl>
  );
}
