import { useRef } from "preact/hooks";
import { type Host, useHost } from "../../app/host";
import { useDebounced } from "../../app/use-debounced";
import { type Loaded, useLoad } from "../../app/use-load";
import { type Contact, filterContacts, type Filters, listArguments } from "../../lib/contacts";

/** One page of contacts. */
export interface ContactPage {
  contacts: readonly Contact[];
  total: number;
  page: number;
  perPage: number;
  /** No contact has the searched words; these have similar ones. */
  isSimilar: boolean;
  /** Rows that the server left out, because the page was too long. */
  leftOut: number;
}

interface ListAnswer {
  total?: number;
  next_page?: number;
  left_out?: number;
  contacts?: Contact[];
  members?: Contact[];
}

/** A group of the directory. */
export interface Group {
  id: string;
  name?: string;
  member_count?: number;
}

const PER_PAGE = 50;
const MAX_SIMILAR = 20;
const MAX_MEMBER_PAGES = 40; // a filtered group is loaded as a whole: the API filters no members
const SEARCH_DELAY_MS = 180;

/** Load the page of contacts that match the filters, a moment after the last key press. Earlier calls are ended. */
export function useContacts(filters: Filters, page: number): [Loaded<ContactPage>, () => void] {
  const host = useHost();
  const members = useRef<{ group: string; contacts: Contact[] } | null>(null);
  const settled = useDebounced(filters, SEARCH_DELAY_MS);
  const [state, reload] = useLoad<ContactPage>(
    async (signal) => {
      if (!settled.group) return loadPage(host, settled, page, signal);
      if (members.current?.group !== settled.group) {
        members.current = { group: settled.group, contacts: await loadMembers(host, settled.group, signal) };
      }
      return slicePage(filterContacts(members.current.contacts, settled), page);
    },
    [host, settled, page],
  );
  const reloadAll = () => {
    members.current = null;
    reload();
  };
  return [state, reloadAll];
}

async function loadPage(host: Host, filters: Filters, page: number, signal: AbortSignal): Promise<ContactPage> {
  const { data } = await host.call<ListAnswer>("list_contacts", listArguments(filters, page, PER_PAGE), { signal });
  const contacts = data.contacts ?? [];
  const total = data.total ?? contacts.length;
  const found = { contacts, total, page, perPage: PER_PAGE, isSimilar: false, leftOut: data.left_out ?? 0 };
  const query = filters.search.trim();
  if (contacts.length || !query || page > 1) return found;
  const similar = await host.call<{ candidates?: Contact[] }>("find_contacts", { query, limit: MAX_SIMILAR }, { signal });
  const candidates = filterContacts(similar.data.candidates ?? [], { ...filters, search: "", type: "any" });
  return { ...found, contacts: candidates, total: candidates.length, isSimilar: candidates.length > 0 };
}

async function loadMembers(host: Host, group: string, signal: AbortSignal): Promise<Contact[]> {
  const members: Contact[] = [];
  for (let page = 1; page <= MAX_MEMBER_PAGES; page++) {
    const args = { group_id: group, page, per_page: PER_PAGE };
    const { data } = await host.call<ListAnswer>("list_group_members", args, { signal });
    members.push(...(data.members ?? []));
    if (!data.next_page) break;
  }
  return members;
}

function slicePage(contacts: readonly Contact[], page: number): ContactPage {
  const shown = contacts.slice((page - 1) * PER_PAGE, page * PER_PAGE);
  return { contacts: shown, total: contacts.length, page, perPage: PER_PAGE, isSimilar: false, leftOut: 0 };
}

/** Load the groups, for the filter and for adding contacts to one. */
export function useGroups(): [Loaded<readonly Group[]>, () => void] {
  const host = useHost();
  return useLoad<readonly Group[]>(
    async (signal) => {
      const { data } = await host.call<{ groups?: Group[] }>("list_contact_groups", { per_page: 100 }, { signal });
      return data.groups ?? [];
    },
    [host],
  );
}
