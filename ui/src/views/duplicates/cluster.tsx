import { useId } from "preact/hooks";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Icon, type IconName } from "../../components/icon";
import { ErrorNote } from "../../components/states";
import { useFormat } from "../../app/format";
import type { Contact } from "../../lib/contacts";
import { type Choice, type Cluster, type ComparedField, type Fate, fateOf, fieldsOf } from "../../lib/duplicates";
import { fieldLabel } from "../../lib/plan";

interface ClusterProps extends Choice {
  /** Why an earlier try to merge it failed; empty if there was none. */
  problem: string;
  onKeep: (id: string) => void;
  onMerge: () => void;
}

const TONES = { certain: "good", likely: "info", possible: "neutral" } as const;

/** The contacts of a cluster side by side, in the order of their fields, and which one is kept. */
export function ClusterCard({ cluster, keepId, problem, onKeep, onMerge }: ClusterProps) {
  const format = useFormat();
  const name = useId();
  const fields = fieldsOf(cluster);
  const title = cluster.contacts.find((contact) => contact.id === keepId)?.name || "No name";
  return (
    <section class="cluster" aria-label={title}>
      <div class="cluster-head">
        <Badge tone={TONES[cluster.confidence]}>{cluster.confidence}</Badge>
        <span class="muted cluster-evidence">{cluster.evidence.join(" · ")}</span>
        <Button small label={`Merge ${format.count(cluster.contacts.length, "contact")} into ${title}`} onClick={onMerge}>
          Merge
        </Button>
      </div>
      {problem && <ErrorNote title="Not merged" message={problem} />}
      <div class="columns" role="radiogroup" aria-label="The contact to keep">
        {cluster.contacts.map((contact) => (
          <label key={contact.id} class={contact.id === keepId ? "column kept" : "column"} style={{ gridRow: `span ${fields.length + 1}` }}>
            <span class="column-head">
              <input type="radio" name={name} checked={contact.id === keepId} onChange={() => onKeep(contact.id)} />
              {contact.id === keepId ? "Keep" : "Delete"}
              <span class="muted mono" title={contact.id}>
                {contact.id.slice(0, 8)}
              </span>
            </span>
            {fields.map((field) => (
              <Cell key={field} cluster={cluster} keepId={keepId} contact={contact} field={field} />
            ))}
          </label>
        ))}
      </div>
      <Remarks cluster={cluster} />
    </section>
  );
}

const ICONS: Readonly<Record<ComparedField, IconName>> = {
  name: "person",
  company_name: "company",
  phone_number: "phone",
  email: "mail",
};

const FATES: Readonly<Record<Fate, string>> = {
  kept: "",
  same: "",
  added: "added to the kept contact",
  noted: "goes to the notes",
  lost: "is not kept",
  empty: "",
};

function Cell({ cluster, keepId, contact, field }: Choice & { contact: Contact; field: ComparedField }) {
  const fate = fateOf(cluster, keepId, contact, field);
  const label = fieldLabel(field);
  return (
    <span class="cell" title={[label, FATES[fate]].filter(Boolean).join(": ")}>
      <Icon name={ICONS[field]} />
      <span class="cell-value">
        <span class="visually-hidden">{label}: </span>
        <Value fate={fate} value={contact[field] ?? ""} />
        {FATES[fate] && <span class="visually-hidden"> ({FATES[fate]})</span>}
      </span>
    </span>
  );
}

function Value({ fate, value }: { fate: Fate; value: string }) {
  if (fate === "empty") return <span class="muted">–</span>;
  const text = <bdi>{breakable(value)}</bdi>;
  if (fate === "added") return <ins>{text}</ins>;
  return fate === "noted" || fate === "lost" ? <mark class={fate}>{text}</mark> : text;
}

/** Let a long address break after its @, not within a word. */
function breakable(value: string) {
  const at = value.indexOf("@") + 1;
  if (!at) return value;
  return (
    <>
      {value.slice(0, at)}
      <wbr />
      {value.slice(at)}
    </>
  );
}

const MAX_NAMED = 3;

function Remarks({ cluster }: { cluster: Cluster }) {
  const format = useFormat();
  const others = cluster.lessCertain.flatMap((wider) => wider.contacts);
  const names = others.slice(0, MAX_NAMED).map((contact) => contact.name || "No name");
  const further = others.length > MAX_NAMED ? ` and ${format.number(others.length - MAX_NAMED)} more` : "";
  return (
    <>
      {cluster.more > 0 && <p class="muted">{format.count(cluster.more, "further contact")} of this cluster can be merged after these.</p>}
      {others.length > 0 && (
        <p class="muted">
          Perhaps also <bdi>{names.join(", ")}</bdi>
          {further} ({[...new Set(cluster.lessCertain.flatMap((wider) => wider.evidence))].join(", ")})
        </p>
      )}
    </>
  );
}
