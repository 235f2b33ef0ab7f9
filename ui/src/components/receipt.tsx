import type { Fields } from "../lib/answer";

/** The receipt of an erasure: `answer` is the structured content of gdpr_delete_contact. */
export function Receipt({ answer }: { answer: Fields }) {
  const records = Array.isArray(answer["records"]) ? answer["records"].length : 0;
  return <p>{records === 1 ? "One record is erased." : `${records} records are erased.`}</p>;
}
