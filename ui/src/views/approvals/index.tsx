import { useEffect, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useHost } from "../../app/host";
import { useLoad } from "../../app/use-load";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Icon } from "../../components/icon";
import { RichText } from "../../components/rich-text";
import { Empty, ErrorNote, Note, Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { asFailure } from "../../lib/answer";
import { toolTitle } from "../../lib/audit";
import type { Prompt } from "../../lib/question";
import { splitRecords } from "../../lib/wording";
import { QuestionForm } from "./question-form";

export interface Approval {
  id: string;
  tool: string;
  asked_by: string;
  is_own: boolean;
  asked_at: string;
  expires: string;
  prompt?: Prompt;
  problem?: string;
}

interface ApprovalList {
  approvals: Approval[];
  reason?: string;
}

const RELOAD_INTERVAL_MS = 10_000;

/** The calls that wait for the person, one open at a time. `onCount` hears how many there are. */
export function ApprovalsView({ onCount }: { onCount?: (count: number) => void }) {
  const host = useHost();
  const [loaded, reload] = useLoad((signal) => host.call<ApprovalList>("list_approvals", {}, { signal }), []);
  const [chosen, setChosen] = useState("");
  const [done, setDone] = useState("");
  const [decidedIds, setDecidedIds] = useState<readonly string[]>([]);
  // A question that was just decided is not shown again until the new list arrives.
  const approvals = loaded.value?.data.approvals.filter((each) => !decidedIds.includes(each.id));
  const reason = loaded.value?.data.reason;
  const open = approvals?.find((each) => each.id === chosen) ?? approvals?.[0];

  const count = approvals?.length;
  useEffect(() => {
    if (count !== undefined) onCount?.(count);
  }, [count, onCount]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, RELOAD_INTERVAL_MS);
    return () => clearInterval(timer);
  }, [reload]);

  const decided = (id: string, text: string) => {
    setDone(text);
    setDecidedIds((before) => [...before, id]);
    reload();
  };
  return (
    <div class="shell fullscreen">
      <ViewHeader title="Approvals" subtitle="What assistants ask you before they change something.">
        <Button tone="quiet" icon="refresh" label="Load again" onClick={reload} />
      </ViewHeader>
      {loaded.status === "error" && <ErrorNote title="The questions cannot be read" message={loaded.error.message} onRetry={reload} />}
      {done && (
        <div class="pad">
          <Note tone="good">{done}</Note>
        </div>
      )}
      {!approvals && loaded.status === "loading" && <Skeleton rows={6} label="Loading questions" />}
      {reason && (
        <Empty title="Decisions are taken elsewhere">
          <p>{reason}</p>
        </Empty>
      )}
      {approvals?.length === 0 && !reason && (
        <Empty title="Nothing waits for you">
          <p>A question of an assistant appears here by itself.</p>
        </Empty>
      )}
      {open && approvals && (
        <div class="split">
          <ApprovalList approvals={approvals} open={open} onOpen={setChosen} />
          <OpenApproval key={open.id} approval={open} onDecided={(text) => decided(open.id, text)} onOutdated={reload} />
        </div>
      )}
    </div>
  );
}

function ApprovalList(props: { approvals: readonly Approval[]; open: Approval; onOpen: (id: string) => void }) {
  const format = useFormat();
  if (props.approvals.length === 1) return null;
  return (
    <ul class="side-list" aria-label="Questions">
      {props.approvals.map((each) => (
        <li key={each.id}>
          <button
            type="button"
            class="side-item"
            aria-current={each.id === props.open.id ? "true" : undefined}
            onClick={() => props.onOpen(each.id)}
          >
            <strong class="truncate">{toolTitle(each.tool)}</strong>
            <span class="muted truncate">
              {each.prompt ? <RichText text={splitRecords(each.prompt.label).title} /> : <bdi>{each.problem}</bdi>}
            </span>
            <span class="muted">{format.dateTime(each.asked_at)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

interface OpenApprovalProps {
  approval: Approval;
  onDecided: (text: string) => void;
  onOutdated: () => void;
}

function OpenApproval({ approval, onDecided, onOutdated }: OpenApprovalProps) {
  const host = useHost();
  const format = useFormat();
  const [busy, setBusy] = useState<"" | "keep" | "agree">("");
  const [problem, setProblem] = useState("");

  const decide = async (agree: boolean, typed: string, also: readonly string[]) => {
    setBusy(agree ? "agree" : "keep");
    setProblem("");
    try {
      await host.call("decide_approval", { id: approval.id, agree, typed, also });
      onDecided(agree ? "Approved. The assistant's call can go on." : "Kept as it is. The assistant reads that you declined.");
    } catch (error) {
      const failure = asFailure(error);
      setProblem(failure.message);
      if (failure.code === "outdated" || failure.code === "not_found") onOutdated();
    } finally {
      setBusy("");
    }
  };

  return (
    <article class="scroll pad approval" aria-label="Question">
      <p class="muted asker">
        <Icon name="person" />
        <span>
          Asked by <bdi>{approval.asked_by || "a program that gives no name"}</bdi>
          {approval.asked_by && " (as it calls itself)"}, {format.dateTime(approval.asked_at)}
        </span>
        {!approval.is_own && <Badge tone="info">Call of another person</Badge>}
      </p>
      {problem && <ErrorNote title="This was not decided" message={problem} />}
      {approval.prompt ? (
        <QuestionForm prompt={approval.prompt} busy={busy} onDecide={decide} />
      ) : (
        <Note tone="warning">
          <strong>This question is no longer open</strong>
          <p>{approval.problem}. The assistant has to ask again.</p>
        </Note>
      )}
      <p class="muted">You can decide until {format.dateTime(approval.expires)}. Without a decision nothing is changed.</p>
    </article>
  );
}
