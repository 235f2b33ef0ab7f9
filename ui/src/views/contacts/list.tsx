import { useCallback, useMemo } from "preact/hooks";
import { Tag } from "../../components/badge";
import { Icon } from "../../components/icon";
import { VirtualGrid } from "../../components/virtual-grid";
import type { Contact } from "../../lib/contacts";
import { RowHeights } from "../../lib/row-heights";

interface ListProps {
  contacts: readonly Contact[];
  selected: ReadonlyMap<string, Contact>;
  onSelect: (contact: Contact) => void;
  onOpen: (contact: Contact) => void;
  isStale: boolean;
}

const ROW_HEIGHT_PX = 35;
const MAX_TAGS = 3;

/** The rows of a page of contacts. Space selects, Enter opens. */
export function ContactList({ contacts, selected, onSelect, onOpen, isStale }: ListProps) {
  const heights = useMemo(() => new RowHeights(contacts.length, ROW_HEIGHT_PX), [contacts]);
  const at = (index: number, use: (contact: Contact) => void) => {
    const contact = contacts[index];
    if (contact) use(contact);
  };
  const ignoreRange = useCallback(() => undefined, []);
  return (
    <div class={isStale ? "list stale" : "list"} aria-busy={isStale}>
      <VirtualGrid
        label="Contacts"
        columns={["Select", "Name", "Phone", "E-mail", "Tags"]}
        template="var(--contact-columns)"
        heights={heights}
        version={0}
        itemAt={(index) => contacts[index]}
        renderRow={(index) => <Cells contact={contacts[index]} isSelected={selected.has(contacts[index]?.id ?? "")} onSelect={onSelect} />}
        isSelected={(index) => selected.has(contacts[index]?.id ?? "")}
        onRange={ignoreRange}
        onOpen={(index) => at(index, onOpen)}
        onSelect={(index) => at(index, onSelect)}
      />
    </div>
  );
}

interface CellsProps {
  contact: Contact | undefined;
  isSelected: boolean;
  onSelect: (contact: Contact) => void;
}

function Cells({ contact, isSelected, onSelect }: CellsProps) {
  if (!contact) return null;
  const tags = contact.tags ?? [];
  return (
    <>
      <div role="gridcell" class="grid-cell select" onClick={(event) => event.stopPropagation()}>
        <input
          type="checkbox"
          tabIndex={-1}
          checked={isSelected}
          aria-label={`Select ${contact.name ?? "this contact"}`}
          onChange={() => onSelect(contact)}
        />
      </div>
      <div role="gridcell" class="grid-cell truncate">
        <span class="type-icon">
          <Icon name={contact.type === "company" ? "company" : "person"} />
        </span>
        <bdi class="strong">{contact.name || "No name"}</bdi>
        {contact.company_name && (
          <bdi class="muted company" title={contact.company_name}>
            {contact.company_name}
          </bdi>
        )}
      </div>
      <div role="gridcell" class="grid-cell truncate">
        <bdi>{contact.phone_number}</bdi>
      </div>
      <div role="gridcell" class="grid-cell truncate">
        <bdi>{contact.email}</bdi>
      </div>
      <div role="gridcell" class="grid-cell tags">
        {tags.slice(0, MAX_TAGS).map((tag) => (
          <Tag key={tag}>{tag}</Tag>
        ))}
        {tags.length > MAX_TAGS && <span class="muted">+{tags.length - MAX_TAGS}</span>}
      </div>
    </>
  );
}
