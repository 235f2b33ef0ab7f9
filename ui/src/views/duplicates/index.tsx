import { useMemo, useRef, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useLaunch } from "../../app/host";
import { Button } from "../../components/button";
import { ConsentDialog, type DecisionCall } from "../../components/consent";
import { Icon } from "../../components/icon";
import { Empty, ErrorNote, Note, Skeleton, Spinner } from "../../components/states";
import { ViewHeader } from "../../components/view-header";
import type { Fields } from "../../lib/answer";
import { type Choice, type Duplicates, keyOf, mergeArguments, type MergeOutcome, nextBatch, summarizeMerge } from "../../lib/duplicates";
import { ClusterCard } from "./cluster";
import { useDuplicates } from "./use-duplicates";

/** Shows people who are in the directory more than once, and merges them. */
export function DuplicatesView() {
  const launch = useLaunch();
  switch (launch.status) {
    case "waiting":
    case "running":
      return (
        <>
          <ViewHeader title="Duplicates" subtitle="Comparing the contacts" />
          <Skeleton rows={6} label="Searching for duplicates" />
        </>
      );
    case "cancelled":
    case "failed":
      return (
        <>
          <ViewHeader title="Duplicates" />
          <div class="pad">
            {launch.status === "failed" ? (
              <ErrorNote title="The duplicates could not be searched" message={launch.message} />
            ) : (
              <Note>{launch.reason || "The search was cancelled."}</Note>
            )}
          </div>
        </>
      );
    case "done":
      return <Found args={launch.arguments} answer={launch.answer.data} />;
  }
}

function Found({ args, answer }: { args: Fields; answer: Fields }) {
  const format = useFormat();
  const { found, outcomes, isLoading, error, reload, loadMore, takeMerge } = useDuplicates(args, answer);
  const [kept, setKept] = useState<ReadonlyMap<string, string>>(new Map());
  const [call, setCall] = useState<DecisionCall | null>(null);
  const [isBatch, setIsBatch] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const choices = useMemo<Choice[]>(
    () => found.clusters.map((cluster) => ({ cluster, keepId: kept.get(keyOf(cluster)) ?? cluster.contacts[0]?.id ?? "" })),
    [found, kept],
  );
  const merge = (some: readonly Choice[]) =>
    setCall({ tool: "merge_contacts", arguments: mergeArguments(some), summarize: (result) => summarizeMerge(result.data) });
  const finish = (result: Fields) => {
    setCall(null);
    const isSeveral = "clusters" in result;
    setIsBatch(isSeveral);
    takeMerge(result);
    // The button that had the focus is gone with its cluster.
    requestAnimationFrame(() => {
      box.current?.focus({ preventScroll: true });
      if (isSeveral) box.current?.scrollTo(0, 0);
    });
  };
  const hidden = found.total - found.clusters.length;
  return (
    <>
      <ViewHeader title="Duplicates" subtitle={subtitleOf(found, format.count)}>
        <Button tone="quiet" icon="refresh" label="Search again" busy={isLoading} onClick={reload} />
      </ViewHeader>
      <div ref={box} class="scroll clusters" tabIndex={-1} aria-busy={isLoading}>
        <Outcomes outcomes={outcomes} isOpen={isBatch} />
        {error && <ErrorNote title="The duplicates could not be searched" message={error.message} onRetry={reload} />}
        {choices.map((choice) => (
          <ClusterCard
            key={keyOf(choice.cluster)}
            {...choice}
            problem={problemOf(choice, outcomes)}
            onKeep={(id) => setKept((before) => new Map(before).set(keyOf(choice.cluster), id))}
            onMerge={() => merge([choice])}
          />
        ))}
        {!choices.length && !isLoading && !error && (
          <Empty title={outcomes.length ? "No duplicates are left" : "No duplicates were found"} />
        )}
        {hidden > 0 && choices.length > 0 && (
          <div class="buttons">
            <Button small busy={isLoading} onClick={loadMore}>
              Show more
            </Button>
            <span class="muted">{format.count(hidden, "further cluster")}; the most certain are shown first</span>
          </div>
        )}
      </div>
      {choices.length > 0 && <Footer choices={choices} certain={found.counts.certain} isLoading={isLoading} onMerge={merge} />}
      {call && (
        <ConsentDialog
          call={call}
          title="Merge"
          plainQuestion="Merge these contacts? The others are deleted after their data is added to the kept one."
          plainYes="Merge"
          onClose={() => setCall(null)}
          onDone={(result) => finish(result.data)}
        />
      )}
    </>
  );
}

interface FooterProps {
  choices: readonly Choice[];
  /** All certain clusters, also those that are not shown. */
  certain: number;
  isLoading: boolean;
  onMerge: (choices: readonly Choice[]) => void;
}

/** What the marks mean, and the button that merges all certain clusters, as many as one question can name. */
function Footer({ choices, certain, isLoading, onMerge }: FooterProps) {
  const format = useFormat();
  const batch = nextBatch(choices);
  const size = format.number(batch.length);
  return (
    <div class="footer">
      <span class="muted marks">
        <ins title="Values that the kept contact lacks are added to it">added</ins>
        <mark class="noted" title="Other numbers and addresses stay in the notes of the kept contact">to the notes</mark>
        <mark class="lost" title="Other names and companies are not kept">lost</mark>
      </span>
      <span class="spacer" />
      {isLoading && <Spinner label="Searching" />}
      {batch.length > 1 && (
        <Button tone="primary" disabled={isLoading} onClick={() => onMerge(batch)}>
          {batch.length < certain ? `Merge ${size} of ${format.number(certain)} certain` : `Merge all ${size} certain`}
        </Button>
      )}
    </div>
  );
}

/** What became of the clusters that were merged: in full after several, else in one line. */
function Outcomes({ outcomes, isOpen }: { outcomes: readonly MergeOutcome[]; isOpen: boolean }) {
  const format = useFormat();
  const merged = outcomes.filter((outcome) => outcome.isMerged);
  const [last] = merged;
  if (!last) return null;
  return (
    <details class="merged" open={isOpen}>
      <summary role="status">
        <Icon name="check" />
        <strong>{format.count(merged.length, "cluster")} merged</strong>
        <span class="muted truncate">
          {merged.length > 1 && "last: "}
          <Outcome outcome={last} />
        </span>
        <span class="turn">
          <Icon name="chevron" />
        </span>
      </summary>
      <ul>
        {merged.map((outcome) => (
          <li key={outcome.keepId}>
            <Outcome outcome={outcome} />
          </li>
        ))}
      </ul>
    </details>
  );
}

function Outcome({ outcome }: { outcome: MergeOutcome }) {
  return (
    <>
      <bdi>{outcome.name}</bdi> <span class="muted">{outcome.changes.join(" · ")}</span>
    </>
  );
}

function problemOf({ cluster }: Choice, outcomes: readonly MergeOutcome[]): string {
  const ids = new Set(cluster.contacts.map((contact) => contact.id));
  return outcomes.find((outcome) => !outcome.isMerged && ids.has(outcome.keepId))?.error ?? "";
}

function subtitleOf(found: Duplicates, count: (value: number, noun: string) => string): string {
  if (!found.total) return `${count(found.compared, "contact")} compared`;
  const parts = Object.entries(found.counts).flatMap(([confidence, value]) => (value ? [`${value} ${confidence}`] : []));
  return `${count(found.total, "cluster")} in ${count(found.compared, "contact")}: ${parts.join(", ")}`;
}
