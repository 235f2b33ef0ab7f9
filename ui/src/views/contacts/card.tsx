import { useEffect, useRef, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useHost } from "../../app/host";
import { useLoad } from "../../app/use-load";
import { Tag } from "../../components/badge";
import { Button } from "../../components/button";
import { ErrorNote, Note, Skeleton } from "../../components/states";
import type { Contact } from "../../lib/contacts";
import { ContactForm } from "./form";

interface CardProps {
  /** The row that was opened; the card loads the rest. */
  row: Contact;
  onClose: () => void;
  /** Called when the contact was saved. */
  onSaved: () => void;
  onAddToGroup: (contact: Contact) => void;
  onDelete: (contact: Contact) => void;
}

/** A contact with all its fields, which can be edited in place. */
export function ContactCard({ row, onClose, onSaved, onAddToGroup, onDelete }: CardProps) {
  const host = useHost();
  const [isEditing, setIsEditing] = useState(false);
  const [remarks, setRemarks] = useState<readonly string[]>([]);
  const [state, reload] = useLoad<Contact>(
    async (signal) => (await host.call<Contact>("get_contact", { contact_id: row.id }, { signal })).data,
    [host, row.id],
  );
  const back = useRef<HTMLButtonElement>(null);
  useEffect(() => back.current?.focus({ preventScroll: true }), [row.id]);
  useEffect(() => {
    setIsEditing(false);
    setRemarks([]);
  }, [row.id]);
  const isCurrent = state.value?.id === row.id;
  const contact = isCurrent && state.value ? state.value : row;
  const isReady = state.status === "ready" && isCurrent;
  const wasEditing = useRef(false);
  const editButton = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (wasEditing.current && !isEditing) editButton.current?.focus();
    wasEditing.current = isEditing;
  }, [isEditing]);
  const saved = (notes: readonly string[]) => {
    setIsEditing(false);
    setRemarks(notes);
    reload();
    onSaved();
  };
  return (
    <section class="card" aria-label="Contact">
      <header class="view-header">
        <Button tone="quiet" icon="back" label="Back to the list" buttonRef={back} onClick={onClose} />
        <div class="view-title">
          <h1>
            <bdi>{contact.name || "No name"}</bdi>
          </h1>
          <p class="muted">{contact.type === "company" ? "Company" : "Person"}</p>
        </div>
        {!isEditing && (
          <div class="view-actions">
            <Button small icon="edit" buttonRef={editButton} disabled={!isReady} onClick={() => setIsEditing(true)}>
              Edit
            </Button>
            <Button small icon="group" onClick={() => onAddToGroup(contact)}>
              Add to group
            </Button>
            <Button small tone="quiet" icon="trash" label="Delete this contact" onClick={() => onDelete(contact)} />
          </div>
        )}
      </header>
      {isEditing ? (
        <ContactForm contact={contact} onCancel={() => setIsEditing(false)} onSaved={(_saved, notes) => saved(notes)} />
      ) : (
        <div class="pad scroll stack">
          {state.status === "error" && <ErrorNote title="The contact could not be loaded" message={state.error.message} onRetry={reload} />}
          {remarks.map((remark) => (
            <Note key={remark}>{remark}</Note>
          ))}
          <Fields contact={contact} />
          {state.status === "loading" && !isCurrent && <Skeleton rows={2} label="Loading the contact" />}
        </div>
      )}
    </section>
  );
}

function Fields({ contact }: { contact: Contact }) {
  const format = useFormat();
  const tags = contact.tags ?? [];
  return (
    <dl class="pairs fields">
      <Field label="Phone" value={contact.phone_number} />
      <Field label="E-mail" value={contact.email} />
      <Field label="Company" value={contact.company_name} />
      <div>
        <dt>Tags</dt>
        <dd class="tags">{tags.length ? tags.map((tag) => <Tag key={tag}>{tag}</Tag>) : <Absent />}</dd>
      </div>
      {contact.notes && (
        <div>
          <dt>Notes</dt>
          <dd class="notes">
            <bdi>{contact.notes}</bdi>
          </dd>
        </div>
      )}
      {contact.created_at && <Field label="Created" value={format.dateTime(contact.created_at)} />}
      {contact.updated_at && <Field label="Changed" value={format.dateTime(contact.updated_at)} />}
      <div>
        <dt>Id</dt>
        <dd class="mono muted">{contact.id}</dd>
      </div>
    </dl>
  );
}

function Field({ label, value }: { label: string; value: string | undefined }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value ? <bdi>{value}</bdi> : <Absent />}</dd>
    </div>
  );
}

function Absent() {
  return <span class="muted">none</span>;
}
