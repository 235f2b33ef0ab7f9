import type { Fields } from "./answer";
import { fieldLabel } from "./plan";

/** A record that is erased. Without a receipt, the service only accepted the request. */
export interface ErasedRecord {
  id: string;
  receipt: number | null;
  erasedAt: string;
}

/** A record that may be the same person and was not erased. */
export interface RelatedRecord {
  id: string;
  name: string;
  status: string;
  shared: readonly string[];
}

/** What `gdpr_delete_contact` answered. */
export interface Erasure {
  isErased: boolean;
  /** What the service showed afterwards. */
  seen: string;
  records: readonly ErasedRecord[];
  /** Fields whose data is gone; fields that the service still shows. */
  cleared: readonly string[];
  left: readonly string[];
  groupsLeft: number;
  related: readonly RelatedRecord[];
  moreRelated: number;
  /** What is kept of the erasure, what is known of it, and what is not. */
  remains: readonly string[];
  known: readonly string[];
  unknown: readonly string[];
}

/** The answer of `get_receipt`: an erasure, and whether the chain of all receipts is intact. */
export interface Proof {
  number: number;
  contact_id: string;
  erased_at: string;
  erased_by: string;
  reason: string;
  fields: readonly string[];
  hash: string;
  previous_hash: string;
  chain_is_intact: boolean;
  chain_length: number;
  chain_hash: string;
  chain_faults: readonly string[];
}

/** Read the answer of `gdpr_delete_contact`. */
export function readErasure(answer: Fields): Erasure {
  const texts = (name: string) => list<unknown>(answer[name]).filter((each): each is string => typeof each === "string");
  return {
    isErased: answer["erased"] === true,
    seen: text(answer["seen"]),
    records: list<Fields>(answer["records"]).map((record) => ({
      id: text(record["id"]),
      receipt: typeof record["receipt"] === "number" ? record["receipt"] : null,
      erasedAt: text(record["erased_at"]),
    })),
    cleared: texts("cleared"),
    left: texts("left"),
    groupsLeft: texts("groups_left").length,
    related: list<Fields>(answer["related"]).map((record) => ({
      id: text(record["id"]),
      name: text(record["name"]),
      status: text(record["status"]),
      shared: list<string>(record["shared"]),
    })),
    moreRelated: typeof answer["more_related"] === "number" ? answer["more_related"] : 0,
    remains: texts("remains"),
    known: texts("known"),
    unknown: texts("unknown"),
  };
}

/** Return the numbers of the receipts, each once. */
export function numbersOf(erasure: Erasure): number[] {
  return [...new Set(erasure.records.flatMap((record) => (record.receipt === null ? [] : [record.receipt])))];
}

/** Return the fields that had a value: of the proofs, else those that the answer calls cleared. */
export function erasedFields(erasure: Erasure, proofs: readonly Proof[]): string[] {
  const fields = proofs.length ? proofs.flatMap((proof) => proof.fields) : erasure.cleared;
  return [...new Set(fields)].map(fieldLabel);
}

/** Return the name of the file that a receipt is saved as. */
export function fileNameOf(erasure: Erasure): string {
  const numbers = numbersOf(erasure);
  return `erasure-receipt${numbers.length ? `-${numbers[0]}` : ""}.txt`;
}

/** Return a receipt as a text to keep. It has ids and times, but no personal data; times are as the server sent them. */
export function receiptText(erasure: Erasure, proofs: readonly Proof[]): string {
  const lines = ["Receipt of an erasure (GDPR article 17)", "", `Result: ${erasure.isErased ? "erased" : "not confirmed"}; ${erasure.seen}`];
  for (const record of erasure.records) {
    const proof = proofs.find((each) => each.number === record.receipt);
    lines.push("", `Contact: ${record.id}`, ...entry("Erased at", proof?.erased_at || record.erasedAt));
    lines.push(...entry("Receipt", record.receipt === null ? "" : String(record.receipt)));
    if (!proof) continue;
    lines.push(...entry("Erased by", proof.erased_by), ...entry("Reason", proof.reason));
    lines.push(...entry("Fields that had a value", proof.fields.join(", ")));
    lines.push(`Hash: ${proof.hash}`, `Hash of the receipt before: ${proof.previous_hash || "none, this is the first"}`);
  }
  const [last] = proofs;
  if (last) {
    const end = `${last.chain_length} receipts, the last with hash ${last.chain_hash}`;
    lines.push("", `Chain of all receipts: ${last.chain_is_intact ? "intact" : `not intact: ${last.chain_faults.join("; ")}`} (${end})`);
  }
  const related = erasure.related.map((record) => `${record.id} (${record.status}; ${record.shared.join(", ")})`);
  lines.push(...section("Not erased, but may be the same person", related), ...section("Still shown", erasure.left));
  lines.push(...section("Kept of the erasure", erasure.remains), ...section("Known", erasure.known), ...section("Not known", erasure.unknown));
  return `${lines.join("\n")}\n`;
}

function entry(label: string, value: string): string[] {
  return value ? [`${label}: ${value}`] : [];
}

function section(title: string, items: readonly string[]): string[] {
  return items.length ? ["", `${title}:`, ...items.map((item) => `- ${item}`)] : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function list<T>(value: unknown): T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}
