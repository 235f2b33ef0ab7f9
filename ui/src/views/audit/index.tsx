import { useEffect, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useHost } from "../../app/host";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Icon } from "../../components/icon";
import { Empty, ErrorNote, Note, Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { asFailure, type CallFailed, isAborted } from "../../lib/answer";
import { type AuditRecord, describeConsent, furtherFields, OUTCOMES, toolTitle } from "../../lib/audit";

interface TrailPage {
  records: AuditRecord[];
  next?: number;
  sees_all: boolean;
  invalid_lines: number;
}

interface TrailReport {
  records: number;
  since?: string;
  until?: string;
  last: number;
  hash: string;
  is_unbroken: boolean;
  faults: string[];
  more_faults: number;
  unfinished: number[];
}

interface Filter {
  tool: string;
  outcome: string;
  record_id: string;
}

const NO_FILTER: Filter = { tool: "", outcome: "", record_id: "" };
const PAGE_SIZE = 50;
const TYPING_PAUSE_MS = 300;

/** The audit trail, the newest record first: filter, open a record, verify the chain. */
export function AuditView() {
  const [filter, setFilter] = useState(NO_FILTER);
  const { page, error, isLoading, more, reload } = useTrail(filter);
  const hasFilter = Object.values(filter).some(Boolean);
  return (
    <div class="shell fullscreen">
      <ViewHeader title="Audit trail" subtitle={page && !page.sees_all ? "Your own calls, the newest first." : "What was called, the newest first."}>
        <Button tone="quiet" icon="refresh" label="Load again" onClick={reload} />
      </ViewHeader>
      <Filters filter={filter} onChange={setFilter} />
      {page?.sees_all && <Verification />}
      {error && <ErrorNote title="The audit trail cannot be read" message={error.message} onRetry={reload} />}
      {!page && isLoading && <Skeleton rows={8} label="Loading records" />}
      {page && page.invalid_lines > 0 && (
        <div class="pad">
          <Note tone="warning">Some lines of the trail are not records. Verify the chain to see which.</Note>
        </div>
      )}
      {page?.records.length === 0 && (
        <Empty title={hasFilter ? "No record matches" : "There are no records yet"}>
          {!hasFilter && <p>Every call that changes something is recorded. Reading is not.</p>}
        </Empty>
      )}
      {page && page.records.length > 0 && (
        <div class="scroll">
          <Records records={page.records} />
          {page.next !== undefined && (
            <p class="more">
              <Button busy={isLoading} onClick={more}>
                Older records
              </Button>
            </p>
          )}
        </div>
      )}
    </div>
  );
}

/** Load the first page of a filter, and older ones on request. */
function useTrail(filter: Filter) {
  const host = useHost();
  const [page, setPage] = useState<TrailPage | null>(null);
  const [error, setError] = useState<CallFailed | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [attempt, setAttempt] = useState(0);

  const load = async (before: number, signal: AbortSignal): Promise<void> => {
    setLoading(true);
    try {
      const args = { ...filter, record_id: filter.record_id.trim(), before, limit: PAGE_SIZE };
      const { data } = await host.call<TrailPage>("read_audit_trail", args, { signal });
      setPage((known) => (before && known ? { ...data, records: [...known.records, ...data.records] } : data));
      setError(null);
    } catch (failure) {
      if (!isAborted(failure)) setError(asFailure(failure));
    } finally {
      if (!signal.aborted) setLoading(false);
    }
  };

  useEffect(() => {
    const controller = new AbortController();
    const timer = setTimeout(() => void load(0, controller.signal), filter.record_id ? TYPING_PAUSE_MS : 0);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [filter.tool, filter.outcome, filter.record_id, attempt]);

  return {
    page,
    error,
    isLoading,
    more: () => void load(page?.next ?? 0, new AbortController().signal),
    reload: () => setAttempt((number) => number + 1),
  };
}

function Filters({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  return (
    <div class="toolbar" role="search">
      <select
        class="input"
        aria-label="Outcome"
        value={filter.outcome}
        onChange={(event) => onChange({ ...filter, outcome: event.currentTarget.value })}
      >
        <option value="">Every outcome</option>
        {Object.entries(OUTCOMES).map(([name, { text }]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
      <select
        class="input"
        aria-label="Tool"
        value={filter.tool}
        onChange={(event) => onChange({ ...filter, tool: event.currentTarget.value })}
      >
        <option value="">Every tool</option>
        {TOOLS.map((tool) => (
          <option key={tool} value={tool}>
            {toolTitle(tool)}
          </option>
        ))}
      </select>
      <input
        class="input grow"
        type="search"
        aria-label="Id of a contact or group"
        placeholder="Id of a contact or group"
        value={filter.record_id}
        onInput={(event) => onChange({ ...filter, record_id: event.currentTarget.value })}
      />
      {Object.values(filter).some(Boolean) && (
        <Button tone="quiet" onClick={() => onChange(NO_FILTER)}>
          Clear
        </Button>
      )}
    </div>
  );
}

/** Tools whose calls are recorded: those that change something, or write a file. */
const TOOLS = [
  "add_group_members",
  "add_matching_to_group",
  "create_contact",
  "create_contact_group",
  "delete_contact",
  "delete_contact_group",
  "gdpr_delete_contact",
  "import_contacts",
  "merge_contacts",
  "remove_group_member",
  "restore_contact",
  "update_contact",
  "update_contact_group",
  "update_matching_contacts",
] as const;

function Records({ records }: { records: readonly AuditRecord[] }) {
  const [open, setOpen] = useState<number | null>(null);
  return (
    <table class="table records">
      <thead>
        <tr>
          <th class="number">No.</th>
          <th>Time</th>
          <th>Outcome</th>
          <th>Call</th>
          <th>Consent</th>
          <th>Caller</th>
        </tr>
      </thead>
      <tbody>
        {records.map((record) => (
          <RecordRow
            key={record.seq}
            record={record}
            isOpen={record.seq === open}
            onToggle={() => setOpen(record.seq === open ? null : record.seq)}
          />
        ))}
      </tbody>
    </table>
  );
}

function RecordRow({ record, isOpen, onToggle }: { record: AuditRecord; isOpen: boolean; onToggle: () => void }) {
  const format = useFormat();
  const outcome = OUTCOMES[record.outcome ?? ""] ?? { text: record.outcome ?? "", tone: "neutral" as const };
  return (
    <>
      <tr>
        <td class="number muted">{format.number(record.seq)}</td>
        <td class="nowrap">{format.dateTime(record.time ?? "")}</td>
        <td>
          <Badge tone={outcome.tone}>{outcome.text}</Badge>
        </td>
        <td>
          <button type="button" class="row-toggle" aria-expanded={isOpen} onClick={onToggle}>
            <Icon name="chevron" />
            {toolTitle(record.tool ?? "")}
          </button>
        </td>
        <td class="muted">{describeConsent(record.consent)}</td>
        <td class="mono truncate caller" title={record.caller}>
          {record.caller}
        </td>
      </tr>
      {isOpen && (
        <tr class="details">
          <td colSpan={6}>
            <dl class="record-fields">
              {furtherFields(record).map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>
                    <bdi>{value}</bdi>
                  </dd>
                </div>
              ))}
              <div>
                <dt>hash</dt>
                <dd class="mono">{record.hash}</dd>
              </div>
            </dl>
          </td>
        </tr>
      )}
    </>
  );
}

function Verification() {
  const host = useHost();
  const format = useFormat();
  const [report, setReport] = useState<TrailReport | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const verify = async () => {
    setBusy(true);
    setProblem("");
    try {
      setReport((await host.call<TrailReport>("verify_audit_trail", {}, { timeoutMs: 600_000 })).data);
    } catch (error) {
      setProblem(asFailure(error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="toolbar verification">
      <Button icon="check" busy={busy} onClick={verify}>
        Verify the chain
      </Button>
      {problem && <ErrorNote title="The chain was not verified" message={problem} />}
      {report?.is_unbroken && (
        <Note tone="good">
          <strong>The chain is unbroken</strong>
          <p>
            {format.count(report.records, "record")}
            {report.records > 0 && (
              <>
                ; the last one is {format.number(report.last)}, <span class="mono hash">{report.hash}</span>
              </>
            )}
          </p>
          <Unfinished report={report} />
        </Note>
      )}
      {report && !report.is_unbroken && (
        <div class="note danger" role="alert">
          <Icon name="alert" />
          <div class="note-body">
            <strong>The chain is broken</strong>
            <ul class="bullets">
              {report.faults.map((fault) => (
                <li key={fault}>{fault}</li>
              ))}
              {report.more_faults > 0 && <li>and {format.count(report.more_faults, "more fault")}</li>}
            </ul>
            <Unfinished report={report} />
          </div>
        </div>
      )}
    </div>
  );
}

function Unfinished({ report }: { report: TrailReport }) {
  if (report.unfinished.length === 0) return null;
  return <p>Calls that began and have no recorded end, so check whether they were done: record {report.unfinished.join(", ")}.</p>;
}
