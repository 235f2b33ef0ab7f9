import { useEffect, useMemo, useState } from "preact/hooks";
import { useFormat } from "../app/format";
import { useHost, useHostState } from "../app/host";
import { type Loaded, useLoad } from "../app/use-load";
import { type Fields, sentence } from "../lib/answer";
import { type ErasedRecord, type Erasure, erasedFields, fileNameOf, numbersOf, type Proof, readErasure, receiptText } from "../lib/receipt";
import { Badge } from "./badge";
import { Button } from "./button";
import { ErrorNote, Note, Skeleton } from "./states";

/** The receipt of an erasure: `answer` is the structured content of gdpr_delete_contact. */
export function Receipt({ answer }: { answer: Fields }) {
  const host = useHost();
  const erasure = useMemo(() => readErasure(answer), [answer]);
  const numbers = useMemo(() => numbersOf(erasure).slice(0, MAX_PROOFS), [erasure]);
  const [state, reload] = useLoad<readonly Proof[]>(
    (signal) => Promise.all(numbers.map(async (number) => (await host.call<Proof>("get_receipt", { number }, { signal })).data)),
    [host, numbers],
  );
  const proofs = state.value ?? [];
  return (
    <article class="receipt stack" aria-label="Receipt of an erasure">
      <Result erasure={erasure} />
      <Actions erasure={erasure} proofs={proofs} />
      <Facts erasure={erasure} proofs={proofs} />
      {numbers.length > 0 && <ChainProof state={state} onRetry={reload} />}
      <Related erasure={erasure} />
      <Lines title="Kept of the erasure" items={erasure.remains} />
      <Lines title="Known" items={erasure.known} />
      <Lines title="Not known" items={erasure.unknown} />
    </article>
  );
}

const MAX_PROOFS = 20; // of an erasure of many records; each is a call

function Result({ erasure }: { erasure: Erasure }) {
  const format = useFormat();
  const size = erasure.records.length;
  if (erasure.isErased) {
    return (
      <Note tone="good">
        <strong>{size > 1 ? `${format.count(size, "record")} are erased` : "The contact is erased"}</strong>
        {erasure.seen && <p>{sentence(erasure.seen)}</p>}
      </Note>
    );
  }
  return (
    <Note tone="warning">
      <strong>The erasure is not confirmed</strong>
      {erasure.seen && <p>{sentence(erasure.seen)}</p>}
      {erasure.left.length > 0 && <p>Still there: {format.list(erasure.left)}.</p>}
    </Note>
  );
}

function Facts({ erasure, proofs }: { erasure: Erasure; proofs: readonly Proof[] }) {
  const format = useFormat();
  const [first] = proofs;
  const erasedAt = first?.erased_at || erasure.records.find((record) => record.erasedAt)?.erasedAt;
  const fields = erasedFields(erasure, proofs);
  const rows: [string, string][] = [
    ["Erased", erasedAt ? format.dateTime(erasedAt) : ""],
    ["By", first?.erased_by ?? ""],
    ["Reason", first?.reason ?? ""],
    ["Fields", format.list(fields)],
    ["Groups left", erasure.groupsLeft ? format.number(erasure.groupsLeft) : ""],
  ];
  return (
    <dl class="pairs">
      {rows.map(([label, value]) =>
        value ? (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <bdi>{value}</bdi>
            </dd>
          </div>
        ) : null,
      )}
      {erasure.records.map((record) => (
        <RecordRow key={record.id} record={record} />
      ))}
    </dl>
  );
}

function RecordRow({ record }: { record: ErasedRecord }) {
  const format = useFormat();
  return (
    <div>
      <dt>{record.receipt === null ? "Contact" : `Receipt ${format.number(record.receipt)}`}</dt>
      <dd class="mono">{record.id}</dd>
    </div>
  );
}

/** Whether the receipts are in an intact chain, with the hashes that prove it. */
function ChainProof({ state, onRetry }: { state: Loaded<readonly Proof[]>; onRetry: () => void }) {
  const format = useFormat();
  if (state.status === "loading") return <Skeleton rows={2} label="Verifying the chain of receipts" />;
  if (state.status === "error") {
    return <ErrorNote title="The proof could not be read" message={state.error.message} onRetry={onRetry} />;
  }
  const faults = [...new Set(state.value.flatMap((proof) => proof.chain_faults))];
  const [first] = state.value;
  if (!first) return null;
  return (
    <section class="proof stack">
      <div class="buttons">
        <Badge tone={faults.length ? "danger" : "good"}>{faults.length ? "Chain is broken" : "Chain is intact"}</Badge>
        <span class="muted">{format.count(first.chain_length, "receipt")}; each one names the hash of the one before</span>
      </div>
      <Lines title="" items={faults} />
      <dl class="pairs">
        {state.value.map((proof) => (
          <div key={proof.number}>
            <dt>Hash{state.value.length > 1 && ` of ${format.number(proof.number)}`}</dt>
            <dd class="mono">{proof.hash}</dd>
          </div>
        ))}
        {state.value.length === 1 && first.previous_hash && (
          <div>
            <dt>Before</dt>
            <dd class="mono">{first.previous_hash}</dd>
          </div>
        )}
      </dl>
    </section>
  );
}

function Related({ erasure }: { erasure: Erasure }) {
  const format = useFormat();
  if (!erasure.related.length) return null;
  return (
    <section>
      <h3>Not erased, but may be the same person</h3>
      <ul class="entries related">
        {erasure.related.map((record) => (
          <li key={record.id}>
            <bdi class="strong">{record.name || "No name"}</bdi>{" "}
            <span class="muted">{[record.status, ...record.shared].filter(Boolean).join(", ")}</span>
          </li>
        ))}
      </ul>
      {erasure.moreRelated > 0 && <p class="muted">{format.number(erasure.moreRelated)} more</p>}
    </section>
  );
}

function Lines({ title, items }: { title: string; items: readonly string[] }) {
  if (!items.length) return null;
  return (
    <section>
      {title && <h3>{title}</h3>}
      {items.map((item) => (
        <p key={item} class="muted">
          {sentence(item)}
        </p>
      ))}
    </section>
  );
}

/** Print and save, if the frame of the host lets them work. */
function Actions({ erasure, proofs }: { erasure: Erasure; proofs: readonly Proof[] }) {
  const host = useHost();
  const { canSave } = useHostState();
  const [canPrint, setCanPrint] = useState(mayPrint);
  const [message, setMessage] = useState("");
  const print = () => {
    if (printPage()) return;
    setCanPrint(false);
    setMessage("This host does not let panels print.");
  };
  const save = async () => {
    const isSaved = await host.download(fileNameOf(erasure), "text/plain", receiptText(erasure, proofs));
    setMessage(isSaved ? "Saved." : "The host did not save the file.");
  };
  useEffect(() => setMessage(""), [proofs]);
  if (!canPrint && !canSave && !message) return null;
  return (
    <div class="buttons no-print">
      {canPrint && (
        <Button small icon="print" onClick={print}>
          Print
        </Button>
      )}
      {canSave && (
        <Button small icon="save" onClick={() => void save()}>
          Save
        </Button>
      )}
      <span class="muted" role="status">
        {message}
      </span>
    </div>
  );
}

/** A frame with an opaque origin is sandboxed, and hosts do not allow it dialogs, of which printing is one. */
function mayPrint(): boolean {
  return window.origin !== "null";
}

/** Print the page. Returns false if the sandbox ignores this, of which only a missing event tells. */
function printPage(): boolean {
  let hasBegun = false;
  const begin = () => {
    hasBegun = true;
  };
  window.addEventListener("beforeprint", begin, { once: true });
  window.print();
  window.removeEventListener("beforeprint", begin);
  return hasBegun;
}
