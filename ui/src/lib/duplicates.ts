import { type Fields, sentence } from "./answer";
import type { Contact } from "./contacts";

export type Confidence = "certain" | "likely" | "possible";

/** Contacts that may be the same person, as `find_duplicate_contacts` answers them: the suggested one to keep first. */
export interface Cluster {
  confidence: Confidence;
  evidence: readonly string[];
  contacts: readonly Contact[];
  /** Contacts of this cluster that the answer leaves out. */
  more: number;
  /** Contacts that may be the same person, too, with less confidence. */
  lessCertain: readonly { evidence: readonly string[]; contacts: readonly Contact[] }[];
}

/** What a search has found. `certain`, `likely` and `possible` count all clusters, also those that are not shown. */
export interface Duplicates {
  /** The search that the clusters come from; empty if it has no further pages. */
  search: string;
  /** How many of its clusters were loaded, also those that are merged by now: where the next page begins. */
  loaded: number;
  compared: number;
  total: number;
  counts: Readonly<Record<Confidence, number>>;
  clusters: readonly Cluster[];
}

/** A cluster and the contact that is kept. */
export interface Choice {
  cluster: Cluster;
  keepId: string;
}

export const COMPARED_FIELDS = ["name", "company_name", "phone_number", "email"] as const;
export type ComparedField = (typeof COMPARED_FIELDS)[number];

/** The limits of one call of merge_contacts. */
const MAX_CLUSTERS = 10;
const MAX_DELETED = 20;

/** Read the answer of `find_duplicate_contacts`. Clusters of fewer than two contacts are left out. */
export function readDuplicates(answer: Fields): Duplicates {
  const number = (name: string) => (typeof answer[name] === "number" ? (answer[name] as number) : 0);
  const clusters = list(answer["clusters"]).map(readCluster).filter(({ contacts }) => contacts.length > 1);
  return {
    search: typeof answer["search"] === "string" ? answer["search"] : "",
    loaded: list(answer["clusters"]).length,
    compared: number("compared"),
    total: number("total"),
    counts: { certain: number("certain"), likely: number("likely"), possible: number("possible") },
    clusters,
  };
}

/**
 * Return the clusters with those of the next page.
 *
 * @param found what was shown before; its counts already lack what was merged
 * @param page the next page of the same search
 */
export function appendPage(found: Duplicates, page: Duplicates): Duplicates {
  const known = new Set(found.clusters.map(keyOf));
  const added = page.clusters.filter((cluster) => !known.has(keyOf(cluster)));
  return { ...found, loaded: found.loaded + page.loaded, clusters: [...found.clusters, ...added] };
}

function readCluster(raw: Fields): Cluster {
  return {
    confidence: CONFIDENCES.find((each) => each === raw["confidence"]) ?? "possible",
    evidence: list<string>(raw["evidence"]),
    contacts: list<Contact>(raw["contacts"]),
    more: typeof raw["more"] === "number" ? raw["more"] : 0,
    lessCertain: list(raw["less_certain"]).map((each) => ({
      evidence: list<string>(each["evidence"]),
      contacts: list<Contact>(each["contacts"]),
    })),
  };
}

const CONFIDENCES: readonly Confidence[] = ["certain", "likely", "possible"];

/** Return what names a cluster: no contact is in two of them, but their order may change. */
export function keyOf(cluster: Cluster): string {
  return cluster.contacts.map((contact) => contact.id).sort()[0] ?? "";
}

/** How a value of a contact fares in a merge. */
export type Fate =
  | "kept"
  /** The same as the kept value, but for how it is written. */
  | "same"
  /** Completes the kept contact, which has no value. */
  | "added"
  /** Stays in the notes of the kept contact. */
  | "noted"
  | "lost"
  | "empty";

/** Return what happens to a field's value if the cluster is merged into `keepId`: an explanation, since the server decides. */
export function fateOf(cluster: Cluster, keepId: string, contact: Contact, field: ComparedField): Fate {
  const value = contact[field];
  if (!value) return "empty";
  if (contact.id === keepId) return "kept";
  const winner = winnerOf(cluster, keepId, field);
  if (winner === contact) return "added";
  if (fold(field, winner?.[field] ?? "") === fold(field, value)) return "same";
  return field === "phone_number" || field === "email" ? "noted" : "lost";
}

/** Return the contact whose value the kept one has afterwards: its own, else the first there is. */
function winnerOf(cluster: Cluster, keepId: string, field: ComparedField): Contact | undefined {
  const kept = cluster.contacts.find((contact) => contact.id === keepId);
  return kept?.[field] ? kept : cluster.contacts.find((contact) => contact[field]);
}

/** Return the fields of which a contact of the cluster has a value. */
export function fieldsOf(cluster: Cluster): ComparedField[] {
  return COMPARED_FIELDS.filter((field) => cluster.contacts.some((contact) => contact[field]));
}

/** Two values are the same if only spaces, case or accents differ; of numbers the digits count. */
function fold(field: ComparedField, value: string): string {
  if (field === "phone_number") return value.replace(/\D/g, "").replace(/^00/, "");
  return value.normalize("NFKD").replace(/\p{M}/gu, "").replace(/\s+/g, " ").trim().toLowerCase();
}

/** Return the arguments of `merge_contacts` for one cluster or several. */
export function mergeArguments(choices: readonly Choice[]): Fields {
  const ids = choices.map(({ cluster, keepId }) => [keepId, ...othersOf(cluster, keepId)]);
  const [only, ...more] = ids;
  if (only && !more.length) return { keep_id: only[0], merge_ids: only.slice(1) };
  return { clusters: ids };
}

function othersOf(cluster: Cluster, keepId: string): string[] {
  return cluster.contacts.flatMap((contact) => (contact.id === keepId ? [] : [contact.id]));
}

/** Return the certain clusters that one call can merge, in their order. */
export function nextBatch(choices: readonly Choice[]): Choice[] {
  const batch: Choice[] = [];
  let deleted = 0;
  for (const choice of choices) {
    if (choice.cluster.confidence !== "certain") continue;
    deleted += choice.cluster.contacts.length - 1;
    if (batch.length === MAX_CLUSTERS || deleted > MAX_DELETED) break;
    batch.push(choice);
  }
  return batch;
}

/** What became of a cluster. */
export interface MergeOutcome {
  keepId: string;
  name: string;
  /** Whether all other contacts are deleted, so that the cluster is no more. */
  isMerged: boolean;
  /** What has changed, as short phrases. */
  changes: readonly string[];
  /** Why it was not merged, or only in part. */
  error: string;
}

/** Read what `merge_contacts` answered, for one cluster or several. */
export function readOutcomes(answer: Fields): MergeOutcome[] {
  const clusters = Array.isArray(answer["clusters"]) ? list(answer["clusters"]) : [answer];
  return clusters.flatMap((raw) => {
    const contact = raw["contact"] as Contact | undefined;
    return contact?.id ? [toOutcome(raw, contact)] : [];
  });
}

function toOutcome(raw: Fields, contact: Contact): MergeOutcome {
  const remaining = list<string>(raw["not_deleted"]);
  const error = typeof raw["error"] === "string" ? raw["error"].replace(/^[a-z_]+: /, "") : remaining.length ? `not deleted: ${remaining.join(", ")}` : "";
  const deleted = list<string>(raw["deleted"]).length;
  const changed = list<string>(raw["changed"]);
  const joined = list<string>(raw["groups_joined"]);
  const changes = [
    ...(deleted ? [`${deleted} deleted`] : []),
    ...(changed.length ? [`changed: ${changed.map((field) => LABELS[field] ?? field).join(", ")}`] : []),
    ...(joined.length ? [`added to ${joined.join(", ")}`] : []),
  ];
  return { keepId: contact.id, name: contact.name || "No name", isMerged: !error, changes, error: sentence(error) };
}

const LABELS: Readonly<Record<string, string>> = { company_name: "company", phone_number: "phone", email: "e-mail" };

/** Return the clusters without those that were merged, and the counts of all without them. */
export function withoutMerged(found: Duplicates, outcomes: readonly MergeOutcome[]): Duplicates {
  const merged = new Set(outcomes.flatMap((outcome) => (outcome.isMerged ? [outcome.keepId] : [])));
  const isMerged = (cluster: Cluster) => cluster.contacts.some((contact) => merged.has(contact.id));
  const counts = { ...found.counts };
  for (const cluster of found.clusters.filter(isMerged)) counts[cluster.confidence] = Math.max(0, counts[cluster.confidence] - 1);
  return {
    ...found,
    counts,
    total: counts.certain + counts.likely + counts.possible,
    clusters: found.clusters.filter((cluster) => !isMerged(cluster)),
  };
}

/** Describe a merge for the model, without values of a contact. */
export function summarizeMerge(answer: Fields): string {
  const outcomes = readOutcomes(answer);
  const merged = outcomes.filter((outcome) => outcome.isMerged).length;
  const failed = outcomes.length - merged;
  return `${merged} ${merged === 1 ? "cluster" : "clusters"} of duplicates merged${failed ? `, ${failed} not merged or only in part` : ""}`;
}

function list<T = Fields>(value: unknown): T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}
