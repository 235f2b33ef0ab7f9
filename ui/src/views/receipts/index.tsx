import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useHost } from "../../app/host";
import { Button } from "../../components/button";
import { Receipt } from "../../components/receipt";
import { Empty, ErrorNote, Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { asFailure, type CallFailed, isAborted } from "../../lib/answer";

interface ErasureReceipt {
  number: number;
  contact_id: string;
  erased_at: string;
  actor: string;
  reason: string;
  fields: string[];
  hash: string;
}

interface ReceiptPage {
  receipts: ErasureReceipt[];
  total: number;
  next?: number;
  reason?: string;
}

interface ReceiptsViewProps {
  /** Whether the person may read the proof of a receipt. */
  canOpen: boolean;
}

/** The receipts of erasures: what was erased, when, why and by whom, and its place in the chain. */
export function ReceiptsView({ canOpen }: ReceiptsViewProps) {
  const host = useHost();
  const format = useFormat();
  const [page, setPage] = useState<ReceiptPage | null>(null);
  const [error, setError] = useState<CallFailed | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [attempt, setAttempt] = useState(0);
  const [opened, setOpened] = useState<ErasureReceipt | null>(null);

  const load = async (before: number, signal: AbortSignal) => {
    setLoading(true);
    try {
      const { data } = await host.call<ReceiptPage>("list_receipts", { before }, { signal });
      setPage((known) => (before && known ? { ...data, receipts: [...known.receipts, ...data.receipts] } : data));
      setError(null);
    } catch (failure) {
      if (!isAborted(failure)) setError(asFailure(failure));
    } finally {
      if (!signal.aborted) setLoading(false);
    }
  };
  useEffect(() => {
    const controller = new AbortController();
    void load(0, controller.signal);
    return () => controller.abort();
  }, [attempt]);

  const reload = () => setAttempt((number) => number + 1);
  const save = () => {
    const lines = (page?.receipts ?? []).map((receipt) => JSON.stringify(receipt));
    void host.download("receipts.jsonl", "application/jsonl", `${lines.join("\n")}\n`);
  };
  if (opened) return <OneReceipt receipt={opened} onBack={() => setOpened(null)} />;
  const hasReceipts = page !== null && page.receipts.length > 0;
  return (
    <div class="shell fullscreen">
      <ViewHeader title="Receipts" subtitle={hasReceipts ? format.count(page.total, "erasure") : "Each erasure leaves a receipt, which names no person."}>
        {hasReceipts && (
          <>
            <Button icon="print" onClick={() => window.print()}>
              Print
            </Button>
            <Button icon="save" onClick={save}>
              Save
            </Button>
          </>
        )}
        <Button tone="quiet" icon="refresh" label="Load again" onClick={reload} />
      </ViewHeader>
      {error && <ErrorNote title="The receipts cannot be read" message={error.message} onRetry={reload} />}
      {!page && isLoading && <Skeleton rows={6} label="Loading receipts" />}
      {page?.receipts.length === 0 && (
        <Empty title={page.reason ? "Receipts are not listed here" : "Nothing was erased"}>{page.reason && <p>{page.reason}</p>}</Empty>
      )}
      {hasReceipts && (
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <th class="number">No.</th>
                <th>Erased</th>
                <th>Contact</th>
                <th>Reason</th>
                <th>Fields that had a value</th>
                <th>Hash</th>
              </tr>
            </thead>
            <tbody>
              {page.receipts.map((receipt) => (
                <tr key={receipt.number}>
                  <td class="number muted">{format.number(receipt.number)}</td>
                  <td class="nowrap">
                    {canOpen ? (
                      <button type="button" class="link" onClick={() => setOpened(receipt)}>
                        <span class="visually-hidden">Receipt {receipt.number}, </span>
                        {format.dateTime(receipt.erased_at)}
                      </button>
                    ) : (
                      format.dateTime(receipt.erased_at)
                    )}
                  </td>
                  <td class="mono">{receipt.contact_id}</td>
                  <td>
                    <bdi>{receipt.reason}</bdi>
                    <p class="muted">
                      by <bdi>{receipt.actor}</bdi>
                    </p>
                  </td>
                  <td class="muted">{receipt.fields.map((field) => field.replaceAll("_", " ")).join(", ")}</td>
                  <td class="mono hash" title={receipt.hash}>
                    {receipt.hash.slice(0, 12)}…
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {page.next !== undefined && (
            <p class="more">
              <Button busy={isLoading} onClick={() => void load(page.next ?? 0, new AbortController().signal)}>
                Older receipts
              </Button>
            </p>
          )}
        </div>
      )}
    </div>
  );
}

/** One receipt, with the proof that the chain is intact. */
function OneReceipt({ receipt, onBack }: { receipt: ErasureReceipt; onBack: () => void }) {
  const format = useFormat();
  const answer = useMemo(() => {
    const record = { id: receipt.contact_id, receipt: receipt.number, erased_at: receipt.erased_at };
    return { erased: true, records: [record], cleared: receipt.fields };
  }, [receipt]);
  const back = useRef<HTMLButtonElement>(null);
  useEffect(() => back.current?.focus({ preventScroll: true }), []);
  return (
    <div class="with-bar">
      <div class="page-bar">
        <Button small tone="quiet" icon="back" buttonRef={back} onClick={onBack}>
          All receipts
        </Button>
      </div>
      <div class="shell fullscreen">
        <ViewHeader title={`Receipt ${format.number(receipt.number)}`} />
        <div class="scroll pad narrow">
          <Receipt answer={answer} />
        </div>
      </div>
    </div>
  );
}
