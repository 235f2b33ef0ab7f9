import { Receipt } from "../../components/receipt";
import { Note } from "../../components/states";
import type { Fields } from "../../lib/answer";

/** What was done: the receipt of an erasure, else one sentence, and what the server adds. */
export function Done({ tool, answer }: { tool: string; answer: Fields }) {
  if (tool === "gdpr_delete_contact" && Array.isArray(answer["records"])) return <Receipt answer={answer} />;
  const names = listNames(answer);
  const remarks = [...listTexts(answer["information"]), ...listTexts(answer["warnings"])];
  return (
    <Note tone="good">
      <strong>{DONE[tool] ?? "Done"}</strong>
      {names.length > 0 && <p>{names.join(", ")}</p>}
      {remarks.map((remark) => (
        <p key={remark}>{remark}</p>
      ))}
    </Note>
  );
}

/** The heading of a panel about a tool before and after its question. */
export function titleOf(tool: string): string {
  return TITLES[tool] ?? "A change";
}

/** Counts for the model; it knows the records from its own call. */
export function summarizeForModel(tool: string, answer: Fields): string {
  const records = answer["records"];
  if (!Array.isArray(records)) return "";
  const noun = records.length === 1 ? "record" : "records";
  const verb = tool === "gdpr_delete_contact" ? "erased" : tool.startsWith("delete") ? "deleted" : "changed";
  return `${records.length} ${noun} ${verb}`;
}

const TITLES: Readonly<Record<string, string>> = {
  create_contact: "Create a contact",
  delete_contact: "Delete a contact",
  delete_contact_group: "Delete a group",
  gdpr_delete_contact: "Erase a contact",
  remove_group_member: "Remove from a group",
  restore_contact: "Restore a contact",
  update_contact: "Change a contact",
  update_contact_group: "Change a group",
};

const DONE: Readonly<Record<string, string>> = {
  create_contact: "The contact is created",
  delete_contact: "The contact is deleted",
  delete_contact_group: "The group is deleted",
  gdpr_delete_contact: "The contact is erased",
  remove_group_member: "The contact is removed from the group",
  restore_contact: "The contact is restored",
  update_contact: "The contact is changed",
  update_contact_group: "The group is changed",
};

function listNames(answer: Fields): string[] {
  const records = Array.isArray(answer["records"]) ? answer["records"] : [answer];
  return records.flatMap((record: Fields) => (typeof record["name"] === "string" ? [record["name"]] : [])).slice(0, 10);
}

function listTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
