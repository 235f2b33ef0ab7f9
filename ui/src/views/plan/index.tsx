import { useMemo, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { type Launch, useHostState, useLaunch } from "../../app/host";
import { type DecisionCall, useDecision } from "../../components/consent";
import { Message } from "../../components/message";
import { Skeleton } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import { applyArguments, countsOf, remarksOf, sizeOf, subtitleOf, summarizeCounts } from "../../lib/plan";
import { Decide, PlanError } from "./decide";
import { Result } from "./result";
import { Counts, Remarks } from "./summary";
import { PlanTable } from "./table";
import { type Plan, type PlanState, usePlan } from "./use-plan";
import { WaitingForFile } from "./waiting";

const TITLES: Readonly<Record<string, string>> = {
  add_matching_to_group: "Add to a group",
  import_contacts: "Import",
  merge_contacts: "Merge",
  update_matching_contacts: "Change matching contacts",
};

/** Shows what a bulk call would change, row by row, and applies it if the person says so. */
export function PlanView() {
  const launch = useLaunch();
  const { tool } = useHostState();
  switch (launch.status) {
    case "waiting":
    case "running":
      return (
        <>
          <ViewHeader title="Planning" subtitle="Comparing with the contacts; nothing is changed yet" />
          <Skeleton rows={6} label="Planning" />
        </>
      );
    case "cancelled":
      return <Message title="The plan was cancelled" text={launch.reason || "Nothing was changed."} />;
    case "failed":
      return (
        <>
          <ViewHeader title={TITLES[tool] ?? "Plan"} />
          <PlanError title="There is no plan" message={launch.message} />
        </>
      );
    case "done":
      return <Launched launch={launch} tool={tool} />;
  }
}

function Launched({ launch, tool }: { launch: Launch & { status: "done" }; tool: string }) {
  const state = usePlan(launch, tool);
  const { plan } = state;
  if (!plan) return <Skeleton rows={6} label="Planning" />;
  const isPlan = plan.answer["applied"] === false || plan.question !== null || plan.tool === "merge_contacts";
  if (isPlan && !isMerged(plan)) return <PlanPanel key={keyOf(plan)} plan={plan} state={state} />;
  if (plan.answer["done"] === false) return <Message title="Nothing was changed" text={String(plan.answer["reason"] ?? "")} />;
  if (typeof plan.answer["upload"] === "string" && sizeOf(plan.answer) === null) {
    const planText = (content: string) => state.replan({ ...plan.arguments, content });
    return <WaitingForFile problem={state.error?.message ?? ""} isPlanning={state.isLoading} onText={planText} />;
  }
  return (
    <>
      <ViewHeader title={TITLES[plan.tool] ?? "Plan"} subtitle={subtitleOf(plan.answer, plan.arguments)} />
      <Result plan={plan} answer={plan.answer} onUndo={(receipt) => state.replan({ undo: receipt })} />
    </>
  );
}

/** A plan that is made again is another plan: its rows and its question start from the beginning. */
function keyOf(plan: Plan): string {
  return `${plan.fingerprint} ${plan.question?.secret ?? ""}`;
}

function isMerged({ tool, answer }: Plan): boolean {
  return tool === "merge_contacts" && ("merged" in answer || "deleted" in answer);
}

function PlanPanel({ plan, state }: { plan: Plan; state: PlanState }) {
  const format = useFormat();
  const [isStale, setIsStale] = useState(false);
  const call = useMemo<DecisionCall>(
    () => ({
      tool: plan.tool,
      arguments: applyArguments(plan.tool, plan.arguments, plan.fingerprint),
      question: plan.question,
      summarize: (result) => summarizeCounts(plan.tool, result.data),
    }),
    [plan.tool, plan.arguments, plan.fingerprint, plan.question],
  );
  const title = titleOf(plan, format.count);
  const isEmpty = !plan.fingerprint && !plan.question && plan.tool !== "merge_contacts";
  if (isEmpty) {
    return (
      <>
        <ViewHeader title={title} subtitle={subtitleOf(plan.answer, plan.arguments)} />
        <Counts counts={countsOf(plan.tool, plan.answer)} />
        <Remarks remarks={remarksOf(plan.answer, format)} />
        <PlanTable plan={plan} onOther={() => setIsStale(true)} />
        <div class="footer">
          <span class="muted">Nothing would change, so there is nothing to apply.</span>
        </div>
      </>
    );
  }
  return <Open plan={plan} state={state} call={call} title={title} isStale={isStale} onStale={() => setIsStale(true)} />;
}

interface OpenProps {
  plan: Plan;
  state: PlanState;
  call: DecisionCall;
  title: string;
  isStale: boolean;
  onStale: () => void;
}

function Open({ plan, state, call, title, isStale, onStale }: OpenProps) {
  const format = useFormat();
  const [decision, decided] = useDecision(call);
  const subtitle = subtitleOf(plan.answer, plan.arguments);
  if (decided.status === "done") {
    return (
      <>
        <ViewHeader title={title} subtitle={subtitle} />
        <Result plan={plan} answer={decided.answer.data} onUndo={(receipt) => state.replan({ undo: receipt })} />
      </>
    );
  }
  return (
    <>
      <ViewHeader title={title} subtitle={subtitle} />
      <Counts counts={countsOf(plan.tool, plan.answer)} />
      <Remarks remarks={remarksOf(plan.answer, format)} />
      {state.error && <PlanError title="The plan could not be made again" message={state.error.message} onRetry={() => state.replan()} />}
      <PlanTable plan={plan} onOther={onStale} />
      <Decide decision={decision} state={decided} isStale={isStale} isReplanning={state.isLoading} onReplan={() => state.replan()} />
    </>
  );
}

function titleOf(plan: Plan, count: (value: number, noun: string) => string): string {
  const title = TITLES[plan.tool] ?? "Plan";
  const group = plan.answer["group"];
  if (plan.tool === "add_matching_to_group" && typeof group === "string") return `Add to “${group}”`;
  const size = sizeOf(plan.answer);
  if (size === null) return title;
  if (plan.tool === "import_contacts") return `Import ${count(size, "row")}`;
  if (plan.tool === "update_matching_contacts") return `Change ${count(size, "contact")}`;
  return title;
}
