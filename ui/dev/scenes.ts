/** A tool call that opens a view. */
export interface Scene {
  view: string;
  tool: string;
  arguments: Record<string, unknown>;
  /** The call has not been answered yet. */
  pending?: boolean;
  /** The call was run without a question. */
  done?: boolean;
}

const CONTACT = { contact_id: "3f0c5b52-0000-4000-8000-000000000002" };

export const SCENES: Readonly<Record<string, Scene>> = {
  consent: { view: "consent", tool: "delete_contact", arguments: CONTACT },
  erasure: { view: "consent", tool: "gdpr_delete_contact", arguments: { ...CONTACT, reason: "Asked for by the customer" } },
  pending: { view: "consent", tool: "delete_contact", arguments: CONTACT, pending: true },
  done: { view: "consent", tool: "create_contact", arguments: { name: "Kari Nordmann" } },
  import: { view: "plan", tool: "import_contacts", arguments: { path: "google-export.csv", on_match: "update" } },
  update: { view: "plan", tool: "update_matching_contacts", arguments: { tags: ["kunde"], add_tags: ["2027"] } },
  add: { view: "plan", tool: "add_matching_to_group", arguments: { tags: ["kunde"], group: "Newsletter" } },
  merge: { view: "plan", tool: "merge_contacts", arguments: { keep_id: "1", merge_ids: ["2"] } },
  contacts: { view: "contacts", tool: "show_contacts", arguments: {} },
  duplicates: { view: "duplicates", tool: "find_duplicate_contacts", arguments: {} },
  "no-duplicates": { view: "duplicates", tool: "find_duplicate_contacts", arguments: { search: "nobody" } },
  audience: { view: "audience", tool: "check_group_audience", arguments: { group: "Newsletter" } },
  erased: { view: "consent", tool: "gdpr_delete_contact", arguments: CONTACT, done: true },
  search: { view: "contacts", tool: "show_contacts", arguments: { query: "berg" } },
};
