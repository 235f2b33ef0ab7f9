import { useEffect, useState } from "preact/hooks";
import type { Contact } from "../../lib/contacts";

const MAX_SELECTED = 100; // as many ids as `add_group_members` and a short message can take

interface Selection {
  selected: ReadonlyMap<string, Contact>;
  toggle: (contact: Contact) => void;
  clear: () => void;
}

/** Contacts that are selected, across pages and searches. */
export function useSelection(): Selection {
  const [selected, setSelected] = useState<ReadonlyMap<string, Contact>>(new Map());
  const toggle = (contact: Contact) =>
    setSelected((before) => {
      const after = new Map(before);
      if (!after.delete(contact.id) && after.size < MAX_SELECTED) after.set(contact.id, contact);
      return after;
    });
  return { selected, toggle, clear: () => setSelected(new Map()) };
}

/** Return the tags of all contacts seen so far, sorted, to be suggested as filters. */
export function useTags(contacts: readonly Contact[] | undefined): readonly string[] {
  const [tags, setTags] = useState<readonly string[]>([]);
  useEffect(() => {
    const seen = new Set([...tags, ...(contacts ?? []).flatMap((contact) => contact.tags ?? [])]);
    if (seen.size > tags.length) setTags([...seen].sort((a, b) => a.localeCompare(b)));
  }, [contacts]);
  return tags;
}
