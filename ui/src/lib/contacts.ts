import type { Fields } from "./answer";

/** A contact of a list or a card; empty fields are absent. */
export interface Contact {
  id: string;
  type?: string;
  name?: string;
  company_name?: string;
  phone_number?: string;
  email?: string;
  tags?: readonly string[];
  notes?: string;
  created_at?: string;
  updated_at?: string;
}

export type ContactType = "any" | "person" | "company";

/** Which contacts are listed. `group` is the id of a group, or empty. */
export interface Filters {
  search: string;
  type: ContactType;
  tags: readonly string[];
  group: string;
}

export const NO_FILTERS: Filters = { search: "", type: "any", tags: [], group: "" };

/** Return the filters that the opening call asks for; its group may be a name, which is in `groupName`. */
export function filtersOf(args: Fields): { filters: Filters; groupName: string } {
  const text = (name: string) => (typeof args[name] === "string" ? (args[name] as string) : "");
  const type = text("type");
  const tags = Array.isArray(args["tags"]) ? args["tags"].filter((tag) => typeof tag === "string") : [];
  return {
    filters: {
      search: text("query") || text("search"),
      type: type === "person" || type === "company" ? type : "any",
      tags,
      group: text("group_id"),
    },
    groupName: text("group"),
  };
}

/** Return the arguments of `list_contacts` for a page. */
export function listArguments(filters: Filters, page: number, perPage: number): Fields {
  const search = filters.search.trim();
  return {
    page,
    per_page: perPage,
    ...(search && { search }),
    ...(filters.type !== "any" && { type: filters.type }),
    ...(filters.tags.length > 0 && { tags: filters.tags }),
  };
}

/** Return the contacts of a list that match: every word of the search begins somewhere in the name or company, or is part of the number or address. */
export function filterContacts(contacts: readonly Contact[], filters: Filters): Contact[] {
  const words = fold(filters.search).split(" ").filter(Boolean);
  return contacts.filter((contact) => {
    if (filters.type !== "any" && contact.type !== filters.type) return false;
    if (!filters.tags.every((tag) => contact.tags?.includes(tag))) return false;
    const text = fold([contact.name, contact.company_name, contact.phone_number, contact.email].filter(Boolean).join(" "));
    return words.every((word) => text.includes(word));
  });
}

function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/\s+/g, " ");
}

/** What a person types into a form. */
export interface Draft {
  type: "person" | "company";
  name: string;
  company_name: string;
  phone_number: string;
  email: string;
  /** Separated by commas. */
  tags: string;
  notes: string;
}

const TEXT_FIELDS = ["name", "company_name", "phone_number", "email", "notes"] as const;

/** Return the form of a contact, or an empty one. */
export function draftOf(contact?: Contact): Draft {
  return {
    type: contact?.type === "company" ? "company" : "person",
    name: contact?.name ?? "",
    company_name: contact?.company_name ?? "",
    phone_number: contact?.phone_number ?? "",
    email: contact?.email ?? "",
    tags: (contact?.tags ?? []).join(", "),
    notes: contact?.notes ?? "",
  };
}

/** A field that the form changes. */
export interface FieldChange {
  field: keyof Draft;
  before: string | null;
  after: string | null;
}

/** Return what a form changes in a contact, in the order of the form. */
export function changesOf(contact: Contact | undefined, draft: Draft): FieldChange[] {
  const old = draftOf(contact);
  const changes: FieldChange[] = [];
  for (const field of Object.keys(old) as (keyof Draft)[]) {
    const before = normalize(field, old[field]);
    const after = normalize(field, draft[field]);
    if (before !== after) changes.push({ field, before: before || null, after: after || null });
  }
  return changes;
}

/** Return the arguments of `update_contact` for the changes; a field that becomes empty is cleared. */
export function updateArguments(id: string, draft: Draft, changes: readonly FieldChange[]): Fields {
  const args: Fields = { contact_id: id };
  const cleared: string[] = [];
  for (const { field, after } of changes) {
    if (after === null) cleared.push(field);
    else args[field] = field === "tags" ? tagsOf(draft.tags) : after;
  }
  return cleared.length ? { ...args, clear_fields: cleared } : args;
}

/** Return the arguments of `create_contact`. */
export function createArguments(draft: Draft, allowDuplicate: boolean): Fields {
  const args: Fields = { type: draft.type };
  for (const field of TEXT_FIELDS) {
    const value = normalize(field, draft[field]);
    if (value) args[field] = value;
  }
  const tags = tagsOf(draft.tags);
  return { ...args, ...(tags.length > 0 && { tags }), ...(allowDuplicate && { allow_duplicate: true }) };
}

/** Return why a form cannot be saved; empty if it can. */
export function faultOf(draft: Draft): string {
  if (!draft.name.trim()) return "A contact needs a name.";
  if (draft.email.trim() && !/^[^\s@]+@[^\s@]+$/.test(draft.email.trim())) return "The e-mail address needs an @ with text on both sides.";
  return "";
}

/** Return the tags of a text with commas, each once. */
export function tagsOf(text: string): string[] {
  return [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))];
}

function normalize(field: keyof Draft, value: string): string {
  if (field === "tags") return tagsOf(value).join(", ");
  return field === "notes" ? value.trimEnd() : value.trim();
}

const MAX_NAMED = 20;
const MAX_NAME_LENGTH = 40;

/**
 * Describe selected contacts for the conversation.
 *
 * Names are untrusted text that a model reads: they are quoted, on one line and short, so that they cannot be taken for
 * an instruction of the person.
 */
export function describeSelection(contacts: readonly Pick<Contact, "id" | "name">[]): string {
  const named = contacts.slice(0, MAX_NAMED).map((contact) => `${quoteName(contact.name ?? "")} (id ${contact.id})`);
  const rest = contacts.slice(MAX_NAMED).map((contact) => contact.id);
  const more = rest.length ? `; and these ids: ${rest.join(", ")}` : "";
  const noun = contacts.length === 1 ? "this contact" : `these ${contacts.length} contacts`;
  return `I have selected ${noun} in the panel: ${named.join(", ")}${more}.`;
}

function quoteName(name: string): string {
  const line = name
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .replace(/["“”„«»]/g, "'")
    .trim();
  return `"${line.length > MAX_NAME_LENGTH ? `${line.slice(0, MAX_NAME_LENGTH - 1)}…` : line}"`;
}
