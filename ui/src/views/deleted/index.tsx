import { useEffect, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useHost } from "../../app/host";
import { Button } from "../../components/button";
import { Empty, ErrorNote, Note, Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { asFailure, type CallFailed, isAborted } from "../../lib/answer";

interface DeletedContact {
  id: string;
  name?: string;
  company_name?: string;
  phone_number?: string;
  email?: string;
  deleted_at?: string;
  merged_into?: string;
}

interface DeletedPage {
  contacts: DeletedContact[];
  next_after?: string;
}

const TYPING_PAUSE_MS = 250;

/** Deleted contacts, which can be restored until they are erased. */
export function DeletedView({ canRestore }: { canRestore: boolean }) {
  const host = useHost();
  const [search, setSearch] = useState("");
  const [page, setPage] = useState<DeletedPage | null>(null);
  const [error, setError] = useState<CallFailed | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [attempt, setAttempt] = useState(0);
  const [news, setNews] = useState("");
  const reload = () => setAttempt((number) => number + 1);

  const load = async (after: string, signal: AbortSignal) => {
    setLoading(true);
    try {
      const args = { ...(search.trim() && { search: search.trim() }), ...(after && { after }) };
      const { data } = await host.call<DeletedPage>("list_deleted_contacts", args, { signal });
      setPage((known) => (after && known ? { ...data, contacts: [...known.contacts, ...data.contacts] } : data));
      setError(null);
    } catch (failure) {
      if (!isAborted(failure)) setError(asFailure(failure));
    } finally {
      if (!signal.aborted) setLoading(false);
    }
  };
  useEffect(() => {
    const controller = new AbortController();
    const timer = setTimeout(() => void load("", controller.signal), search ? TYPING_PAUSE_MS : 0);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [search, attempt]);

  const restored = (text: string) => {
    setNews(text);
    reload();
  };
  return (
    <div class="shell fullscreen">
      <ViewHeader title="Deleted contacts" subtitle="They can be restored until they are erased.">
        <Button tone="quiet" icon="refresh" label="Load again" onClick={reload} />
      </ViewHeader>
      <div class="toolbar" role="search">
        <input
          class="input grow"
          type="search"
          aria-label="Search deleted contacts"
          placeholder="Search by name, company, number or e-mail"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </div>
      {news && (
        <div class="pad">
          <Note tone="good">{news}</Note>
        </div>
      )}
      {error && <ErrorNote title="The deleted contacts cannot be read" message={error.message} onRetry={reload} />}
      {!page && isLoading && <Skeleton rows={6} label="Loading deleted contacts" />}
      {page?.contacts.length === 0 && <Empty title={search ? "No deleted contact matches" : "No contact is deleted"} />}
      {page && page.contacts.length > 0 && (
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <th>Contact</th>
                <th>Number, e-mail</th>
                <th>Deleted</th>
                {canRestore && (
                  <th>
                    <span class="visually-hidden">Restore</span>
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {page.contacts.map((contact) => (
                <DeletedRow key={contact.id} contact={contact} canRestore={canRestore} onRestored={restored} />
              ))}
            </tbody>
          </table>
          {page.next_after && (
            <p class="more">
              <Button busy={isLoading} onClick={() => void load(page.next_after ?? "", new AbortController().signal)}>
                More
              </Button>
            </p>
          )}
        </div>
      )}
    </div>
  );
}

interface DeletedRowProps {
  contact: DeletedContact;
  canRestore: boolean;
  onRestored: (news: string) => void;
}

function DeletedRow({ contact, canRestore, onRestored }: DeletedRowProps) {
  const host = useHost();
  const format = useFormat();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const name = contact.name ?? contact.company_name ?? "Contact without a name";
  const restore = async () => {
    setBusy(true);
    setProblem("");
    try {
      const { data } = await host.call<{ note?: string; done?: boolean; reason?: string }>("restore_contact", { contact_id: contact.id });
      if (data.done === false) setProblem(data.reason ?? "It was not restored.");
      else onRestored(`${name} is restored. ${data.note ?? "It is in no group."}`);
    } catch (error) {
      setProblem(asFailure(error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <tr>
      <td>
        <bdi>{name}</bdi>
        {contact.name && contact.company_name && (
          <p class="muted">
            <bdi>{contact.company_name}</bdi>
          </p>
        )}
        {contact.merged_into && <p class="muted">merged into another contact</p>}
        {problem && <ErrorNote title="It was not restored" message={problem} />}
      </td>
      <td class="muted">
        <bdi>{[contact.phone_number, contact.email].filter(Boolean).join(", ")}</bdi>
      </td>
      <td class="muted nowrap">{format.dateTime(contact.deleted_at ?? "")}</td>
      {canRestore && (
        <td class="number">
          <Button small busy={busy} onClick={restore} label={`Restore ${name}`}>
            Restore
          </Button>
        </td>
      )}
    </tr>
  );
}
