import { useEffect, useId, useRef, useState } from "preact/hooks";
import { useHost } from "../../app/host";
import { Button } from "../../components/button";
import { ChangeLine } from "../../components/change";
import { ConsentDialog, type DecisionCall } from "../../components/consent";
import { Segments } from "../../components/segments";
import { ErrorNote } from "../../components/states";
import { asFailure, type Answer, type CallFailed, type Fields } from "../../lib/answer";
import { changesOf, type Contact, createArguments, type Draft, draftOf, faultOf, updateArguments } from "../../lib/contacts";

interface FormProps {
  /** The contact to change; without it, a new one is created. */
  contact?: Contact;
  onCancel: () => void;
  /** Called with the saved contact and what the server remarks on it. */
  onSaved: (contact: Contact, remarks: readonly string[]) => void;
}

const TYPES = [
  { value: "person", text: "Person" },
  { value: "company", text: "Company" },
] as const;

/** A form for a contact that shows what would change before it is saved. */
export function ContactForm({ contact, onCancel, onSaved }: FormProps) {
  const host = useHost();
  const [draft, setDraft] = useState<Draft>(() => draftOf(contact));
  const [isSaving, setIsSaving] = useState(false);
  const [error, setError] = useState<CallFailed | null>(null);
  const [call, setCall] = useState<DecisionCall | null>(null);
  const form = useRef<HTMLDivElement>(null);
  useEffect(() => form.current?.querySelector<HTMLInputElement>("input.input")?.focus({ preventScroll: true }), []);
  const changes = changesOf(contact, draft);
  const fault = faultOf(draft);
  const set = (field: keyof Draft) => (value: string) => setDraft((before) => ({ ...before, [field]: value }));
  const tool = contact ? "update_contact" : "create_contact";

  const finish = (answer: Answer) => onSaved(answer.data as unknown as Contact, remarksOf(answer.data));
  const save = async (allowDuplicate: boolean) => {
    const args = contact ? updateArguments(contact.id, draft, changes) : createArguments(draft, allowDuplicate);
    setIsSaving(true);
    setError(null);
    try {
      const answer = await host.call(tool, args);
      if (answer.question) setCall({ tool, arguments: args, question: answer.question });
      else {
        void host.tell(`In the panel, the person ${contact ? `changed the contact ${contact.id}` : "created a contact"}.`);
        finish(answer);
      }
    } catch (failure) {
      setError(asFailure(failure));
    } finally {
      setIsSaving(false);
    }
  };
  const submit = () => {
    if (changes.length && !fault && !isSaving) void save(false);
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Enter" && event.target instanceof HTMLInputElement) submit();
    else if (event.key === "Escape") onCancel();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <>
      {/* No form element: hosts show the panel in a sandbox that blocks forms. */}
      <div ref={form} class="form" role="form" aria-label={contact ? "Edit the contact" : "New contact"} onKeyDown={press}>
        <div class="pad scroll stack">
          {!contact && <Segments label="Type" options={TYPES} value={draft.type} onChange={set("type")} />}
          <div class="form-grid">
            <Field label="Name" value={draft.name} onInput={set("name")} />
            <Field label="Company" value={draft.company_name} onInput={set("company_name")} />
            <Field label="Phone" value={draft.phone_number} onInput={set("phone_number")} placeholder="+47 …" />
            <Field label="E-mail" value={draft.email} onInput={set("email")} />
            <Field label="Tags, separated by commas" value={draft.tags} onInput={set("tags")} isWide />
            <Field label="Notes" value={draft.notes} onInput={set("notes")} isWide isLong />
          </div>
          {error && <SaveError error={error} onCreate={() => void save(true)} />}
        </div>
        <div class="footer">
          <div class="pending-changes" aria-live="polite">
            {fault && changes.length > 0 ? (
              <span class="row-note">{fault}</span>
            ) : contact && changes.length > 0 ? (
              changes.map((change) => (
                <div key={change.field} class="line truncate">
                  <ChangeLine {...change} />
                </div>
              ))
            ) : (
              <span class="muted">{contact ? "No changes yet" : ""}</span>
            )}
          </div>
          <Button onClick={onCancel}>Cancel</Button>
          <Button tone="primary" onClick={submit} busy={isSaving} disabled={!changes.length || Boolean(fault)}>
            {contact ? "Save" : "Create"}
          </Button>
        </div>
      </div>
      {call && (
        <ConsentDialog
          call={call}
          title="Save the contact"
          plainQuestion="Save these changes?"
          plainYes="Save"
          onClose={() => setCall(null)}
          onDone={finish}
        />
      )}
    </>
  );
}

interface FieldProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  placeholder?: string;
  isWide?: boolean;
  isLong?: boolean;
}

function Field({ label, value, onInput, placeholder, isWide = false, isLong = false }: FieldProps) {
  const id = useId();
  const type = (event: Event) => onInput((event.currentTarget as HTMLInputElement).value);
  return (
    <div class={isWide ? "field wide" : "field"}>
      <label for={id}>{label}</label>
      {isLong ? (
        <textarea id={id} class="input" dir="auto" rows={3} value={value} onInput={type} />
      ) : (
        <input id={id} class="input" dir="auto" spellcheck={false} value={value} placeholder={placeholder} onInput={type} />
      )}
    </div>
  );
}

function SaveError({ error, onCreate }: { error: CallFailed; onCreate: () => void }) {
  if (error.code === "duplicate") {
    const advice = "Create another one only if they are two different people.";
    return <ErrorNote title="Such a contact exists already" message={advice} onRetry={onCreate} retryLabel="Create anyway" />;
  }
  const title = error.kind === "unreachable" ? "It is not known whether this was saved" : "This was not saved";
  return <ErrorNote title={title} message={error.message} />;
}

function remarksOf(answer: Fields): string[] {
  return ["information", "warnings"].flatMap((key) => {
    const texts = answer[key];
    return Array.isArray(texts) ? texts.filter((text): text is string => typeof text === "string") : [];
  });
}
