import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useLaunch } from "../../app/host";
import { useHandOver } from "../../app/use-hand-over";
import { Button } from "../../components/button";
import { ConsentDialog, type DecisionCall } from "../../components/consent";
import { Empty, ErrorNote, Note, Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { type Contact, type Filters, filtersOf, NO_FILTERS } from "../../lib/contacts";
import { ContactCard } from "./card";
import { Pager, Selection } from "./footer";
import { ContactForm } from "./form";
import { GroupDialog } from "./group-dialog";
import { ContactList } from "./list";
import { Toolbar } from "./toolbar";
import { useContacts, useGroups } from "./use-contacts";
import { useSelection, useTags } from "./use-selection";

/** Searches, shows and edits contacts. */
export function ContactsView() {
  const launch = useLaunch();
  if (launch.status === "waiting") {
    return (
      <>
        <ViewHeader title="Contacts" />
        <Skeleton rows={6} label="Loading" />
      </>
    );
  }
  return <Contacts launchArguments={launch.arguments} />;
}

/** What stands beside the list, or in place of it if there is little room. */
type Pane = { kind: "none" } | { kind: "card"; row: Contact } | { kind: "new" };

function Contacts({ launchArguments }: { launchArguments: Record<string, unknown> }) {
  const format = useFormat();
  const handOver = useHandOver();
  const start = useMemo(() => filtersOf(launchArguments), [launchArguments]);
  const [filters, setFilters] = useState<Filters>(start.filters);
  const [page, setPage] = useState(1);
  const [state, reload] = useContacts(filters, page);
  const [groups] = useGroups();
  const [pane, setPane] = useState<Pane>({ kind: "none" });
  const [message, setMessage] = useState("");
  const [toGroup, setToGroup] = useState<readonly Contact[] | null>(null);
  const [deletion, setDeletion] = useState<DecisionCall | null>(null);
  const { selected, toggle, clear } = useSelection();
  const tags = useTags(state.value?.contacts);
  const root = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const named = groups.value?.find((group) => group.name === start.groupName);
    if (start.groupName && named) setFilters((before) => ({ ...before, group: named.id }));
  }, [groups.value, start.groupName]);

  const change = (changes: Partial<Filters>) => {
    setFilters((before) => ({ ...before, ...changes }));
    setPage(1);
    setMessage("");
  };
  const focusList = () => root.current?.querySelector<HTMLElement>(".grid")?.focus();
  const closePane = () => {
    setPane({ kind: "none" });
    requestAnimationFrame(focusList);
  };
  const say = (text: string) => setMessage(text);
  const send = async () => {
    say(await handOver.send([...selected.values()]));
    clear();
  };
  const remove = (contact: Contact) => setDeletion({ tool: "delete_contact", arguments: { contact_id: contact.id } });
  const press = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (pane.kind !== "none") closePane();
    else if (selected.size) clear();
  };

  const shown = state.value;
  return (
    <div ref={root} class={pane.kind === "none" ? "contacts" : "contacts has-pane"} onKeyDown={press}>
      <div class="contacts-list">
        <ViewHeader title="Contacts" subtitle={shown && !shown.isSimilar ? format.count(shown.total, "contact") : undefined}>
          <Button small icon="plus" onClick={() => setPane({ kind: "new" })}>
            New
          </Button>
        </ViewHeader>
        <Toolbar filters={filters} onChange={change} groups={groups.value ?? []} knownTags={tags} onDown={focusList} />
        {message && (
          <div class="pad message">
            <Note tone="good">{message}</Note>
          </div>
        )}
        {state.status === "error" && (
          <div class="pad">
            <ErrorNote title="The contacts could not be loaded" message={state.error.message} onRetry={reload} />
          </div>
        )}
        {!shown && state.status === "loading" && <Skeleton rows={8} label="Loading contacts" />}
        {shown?.isSimilar && <p class="similar muted">No contact has these words. These are similar:</p>}
        {shown && shown.contacts.length > 0 && (
          <ContactList
            contacts={shown.contacts}
            selected={selected}
            onSelect={toggle}
            onOpen={(row) => setPane({ kind: "card", row })}
            isStale={state.status === "loading"}
          />
        )}
        {shown && shown.contacts.length === 0 && state.status === "ready" && <Nothing filters={filters} onClear={() => change(NO_FILTERS)} />}
        {selected.size > 0 ? (
          <div class="footer">
            <Selection
              count={selected.size}
              handOver={handOver}
              onSend={() => void send()}
              onAddToGroup={() => setToGroup([...selected.values()])}
              onClear={clear}
            />
          </div>
        ) : (
          shown &&
          shown.contacts.length > 0 && (
            <div class="footer">
              <Pager page={shown} onPage={setPage} />
            </div>
          )
        )}
      </div>
      {pane.kind === "card" && (
        <ContactCard row={pane.row} onClose={closePane} onSaved={reload} onAddToGroup={(contact) => setToGroup([contact])} onDelete={remove} />
      )}
      {pane.kind === "new" && (
        <section class="card" aria-label="New contact">
          <header class="view-header">
            <div class="view-title">
              <h1>New contact</h1>
            </div>
          </header>
          <ContactForm
            onCancel={closePane}
            onSaved={(contact) => {
              setPane({ kind: "card", row: contact });
              reload();
            }}
          />
        </section>
      )}
      {toGroup && (
        <GroupDialog
          contacts={toGroup}
          groups={groups.value ?? []}
          onClose={() => setToGroup(null)}
          onDone={(text) => {
            setToGroup(null);
            clear();
            say(text);
            reload();
          }}
        />
      )}
      {deletion && (
        <ConsentDialog
          call={deletion}
          title="Delete a contact"
          plainQuestion="Delete this contact? It is removed from all groups."
          plainYes="Delete"
          onClose={() => setDeletion(null)}
          onDone={() => {
            setDeletion(null);
            setPane({ kind: "none" });
            say("The contact is deleted.");
            reload();
          }}
        />
      )}
    </div>
  );
}

function Nothing({ filters, onClear }: { filters: Filters; onClear: () => void }) {
  const isFiltered = filters.search || filters.group || filters.tags.length || filters.type !== "any";
  if (!isFiltered) return <Empty title="There are no contacts yet">Create one, or ask the assistant to import a file.</Empty>;
  return (
    <Empty title="No contact matches">
      <Button small onClick={onClear}>
        Clear the filters
      </Button>
    </Empty>
  );
}
