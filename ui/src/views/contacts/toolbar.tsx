import { useId, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { Icon } from "../../components/icon";
import { Segments } from "../../components/segments";
import type { ContactType, Filters } from "../../lib/contacts";
import type { Group } from "./use-contacts";

interface ToolbarProps {
  filters: Filters;
  onChange: (changes: Partial<Filters>) => void;
  groups: readonly Group[];
  /** Tags that can be suggested: those of the contacts seen so far. */
  knownTags: readonly string[];
  /** Called on the arrow key down in the search field. */
  onDown: () => void;
}

const TYPES: readonly { value: ContactType; text: string }[] = [
  { value: "any", text: "All" },
  { value: "person", text: "People" },
  { value: "company", text: "Companies" },
];

/** Search and filters. */
export function Toolbar({ filters, onChange, groups, knownTags, onDown }: ToolbarProps) {
  const format = useFormat();
  const press = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      onDown();
    }
    if (event.key === "Escape" && filters.search) {
      event.stopPropagation();
      onChange({ search: "" });
    }
  };
  return (
    <div class="toolbar">
      <div class="search">
        <Icon name="search" />
        <input
          class="input"
          type="search"
          aria-label="Search contacts"
          placeholder="Name, company, number or e-mail"
          value={filters.search}
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => onChange({ search: event.currentTarget.value })}
          onKeyDown={press}
        />
      </div>
      <Segments label="Type of contact" options={TYPES} value={filters.type} onChange={(type) => onChange({ type })} />
      {groups.length > 0 && (
        <select
          class="input"
          aria-label="Group"
          value={filters.group}
          onChange={(event) => onChange({ group: event.currentTarget.value })}
        >
          <option value="">All groups</option>
          {groups.map((group) => (
            <option key={group.id} value={group.id}>
              {shorten(group.name ?? group.id)}
              {group.member_count !== undefined && ` (${format.number(group.member_count)})`}
            </option>
          ))}
        </select>
      )}
      <TagFilter tags={filters.tags} known={knownTags} onChange={(tags) => onChange({ tags })} />
    </div>
  );
}

const MAX_OPTION_LENGTH = 40;

/** Options of a select do not wrap, so a long name would widen the whole panel. */
function shorten(name: string): string {
  return name.length > MAX_OPTION_LENGTH ? `${name.slice(0, MAX_OPTION_LENGTH - 1)}…` : name;
}

interface TagFilterProps {
  tags: readonly string[];
  known: readonly string[];
  onChange: (tags: readonly string[]) => void;
}

function TagFilter({ tags, known, onChange }: TagFilterProps) {
  const id = useId();
  const [text, setText] = useState("");
  const add = (tag: string) => {
    setText("");
    const trimmed = tag.trim();
    if (trimmed && !tags.includes(trimmed)) onChange([...tags, trimmed]);
  };
  const type = (value: string) => (known.includes(value) ? add(value) : setText(value));
  return (
    <>
      <input
        class="input tag-input"
        aria-label="Filter by tag"
        placeholder="Tag"
        value={text}
        list={id}
        autocomplete="off"
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && add(text)}
        onBlur={() => add(text)}
      />
      <datalist id={id}>
        {known.filter((tag) => !tags.includes(tag)).map((tag) => (
          <option key={tag} value={tag} />
        ))}
      </datalist>
      {tags.map((tag) => (
        <button
          key={tag}
          type="button"
          class="badge info"
          aria-label={`Remove the filter ${tag}`}
          onClick={() => onChange(tags.filter((each) => each !== tag))}
        >
          <span class="truncate">{tag}</span> <Icon name="close" />
        </button>
      ))}
    </>
  );
}
