import { useMemo, useState } from "preact/hooks";
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
  const { found, outcomes, isLoading, error, reload, takeMerge } = useDuplicates(args, answer);
  const [kept, setKept] = useState<ReadonlyMap<string, string>>(new Map());
  const [call, setCall] = useState<DecisionCall | null>(null);
  const choices = useMemo<Choice[]>(
    () => found.clusters.map((cluster) => ({ cluster, keepId: kept.get(keyOf(cluster)) ?? cluster.contacts[0]?.id ?? "" })),
    [found, kept],
  );
  const merge = (some: readonly Choice[]) =>
    setCall({ tool: "merge_contacts", arguments: mergeArguments(some), summarize: (result) => summarizeMerge(result.data) });
  const hidden = found.total - found.clusters.length;
  return (
    <>
      <ViewHeader title="Duplicates" subtitle={subtitleOf(found, format.count)}>
        <Button tone="quiet" icon="refresh" label="Search again" busy={isLoading} onClick={reload} />
      </ViewHeader>
      <div class="scroll clusters" aria-busy={isLoading}>
        <Outcomes outcomes={outcomes} />
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
          <Empty title={outcomes.length ? "No duplicates are left" : "No duplicates were found"}>
            {format.count(found.compared, "contact")} compared
          </Empty>
        )}
        {hidden > 0 && choices.length > 0 && (
          <div class="buttons">
            <Button small busy={isLoading} onClick={reload}>
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
          onDone={(result) => {
            setCall(null);
            takeMerge(result.data);
          }}
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
        <span>
          <ins>added</ins> to the kept contact
        </span>
        <span>
          <mark class="noted">noted</mark> in its notes
        </span>
        <span>
          <mark class="lost">lost</mark> in a merge
        </span>
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

/** What became of the clusters that were merged. */
function Outcomes({ outcomes }: { outcomes: readonly MergeOutcome[] }) {
  const merged = outcomes.filter((outcome) => outcome.isMerged);
  if (!merged.length) return null;
  return (
    <ul class="merged" role="status" aria-label="Merged">
      {merged.map((outcome) => (
        <li key={outcome.keepId}>
          <Icon name="check" />
          <span>
            <bdi class="strong">{outcome.name}</bdi> <span class="muted">{outcome.changes.join(" · ") || "merged"}</span>
          </span>
        </li>
      ))}
    </ul>
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
