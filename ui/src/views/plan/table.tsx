import { useCallback, useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { Badge } from "../../components/badge";
import { ChangeLine } from "../../components/change";
import { Icon } from "../../components/icon";
import { Segments } from "../../components/segments";
import { Empty, ErrorNote, Skeleton } from "../../components/states";
import { VirtualGrid } from "../../components/virtual-grid";
import { actionOf, fieldLabel, type Line, type PlanRow, type Show, type ShownRow } from "../../lib/plan";
import type { Range } from "../../lib/row-heights";
import { RowDialog } from "./row-dialog";
import type { Plan } from "./use-plan";
import { usePlanRows } from "./use-rows";

const SHOWS: readonly { value: Show; text: string }[] = [
  { value: "all", text: "All" },
  { value: "changes", text: "Changes" },
  { value: "attention", text: "Needs attention" },
];

/** The rows of a plan, with a filter. */
export function PlanTable({ plan, onOther }: { plan: Plan; onOther: () => void }) {
  const format = useFormat();
  const [show, setShow] = useState<Show>("all");
  const [open, setOpen] = useState<PlanRow | null>(null);
  const { rows, state, heights, counts } = usePlanRows(plan, show, onOther);
  const load = useCallback((range: Range) => rows.want(range.first, range.end), [rows]);
  const options = SHOWS.map((option) => {
    const number = option.value === "all" ? undefined : counts[option.value];
    return number === undefined ? option : { ...option, count: format.number(number) };
  });
  const hasNumbers = plan.tool === "import_contacts";
  return (
    <>
      <div class="toolbar">
        <Segments label="Rows to show" options={options} value={show} onChange={setShow} />
        <span class="spacer" />
        <span class="muted row-count" role="status">
          {state.status !== "loading" && format.count(state.total, "row")}
          {counts.notListed > 0 && `; ${format.number(counts.notListed)} more are not listed`}
        </span>
      </div>
      {state.error && (
        <div class="pad">
          <ErrorNote title="The rows could not be loaded" message={state.error.message} onRetry={() => rows.retry()} />
        </div>
      )}
      {state.status === "loading" && <Skeleton rows={6} label="Loading the rows" />}
      {state.status === "ready" && state.total === 0 && <Empty title={EMPTY[show]} />}
      {state.total > 0 && (
        <div class={hasNumbers ? "list plan-rows numbered" : "list plan-rows"}>
          <VirtualGrid
            label="Rows of the plan"
            columns={[...(hasNumbers ? ["Row"] : []), "Contact", "Action", "Changes"]}
            template="var(--plan-columns)"
            heights={heights}
            version={state.version}
            itemAt={(index) => rows.get(index)}
            renderRow={(index) => <Cells row={rows.get(index)} number={hasNumbers ? format.number : null} />}
            onRange={load}
            onOpen={(index) => setOpen(rows.get(index) ?? null)}
          />
        </div>
      )}
      {open && <RowDialog row={open} onClose={() => setOpen(null)} />}
    </>
  );
}

const EMPTY: Readonly<Record<Show, string>> = {
  all: "This plan has no rows",
  changes: "Nothing changes",
  attention: "No row needs attention",
};

interface CellsProps {
  row: ShownRow | undefined;
  /** Writes the number of a row; null if the rows have none. */
  number: ((value: number) => string) | null;
}

function Cells({ row, number }: CellsProps) {
  if (!row) {
    return (
      <div role="gridcell" class="grid-cell loading" aria-busy="true">
        <span class="skeleton-row" />
      </div>
    );
  }
  const action = actionOf(row.action);
  const isQuiet = action.tone === "neutral";
  return (
    <>
      {number && (
        <div role="gridcell" class="grid-cell muted number">
          {row.row === null ? "" : number(row.row)}
        </div>
      )}
      <div role="gridcell" class={`grid-cell truncate${isQuiet ? " quiet" : " strong"}`}>
        <bdi>{row.name || "No name"}</bdi>
      </div>
      <div role="gridcell" class="grid-cell">
        <Badge tone={action.tone}>{action.text}</Badge>
      </div>
      <div role="gridcell" class="grid-cell">
        {row.lines.map((line, index) => (
          <div key={index} class="line truncate">
            <LineContent line={line} />
          </div>
        ))}
      </div>
    </>
  );
}

function LineContent({ line }: { line: Line }) {
  switch (line.kind) {
    case "change":
      return <ChangeLine {...line} />;
    case "values":
      return (
        <>
          {line.values.map(({ field, value }, index) => (
            <span key={field}>
              {index > 0 && <span class="muted"> · </span>}
              <bdi title={fieldLabel(field)}>{value}</bdi>
            </span>
          ))}
        </>
      );
    case "note":
      return (
        <span class="row-note">
          <Icon name="alert" /> {line.text}
        </span>
      );
    case "more":
      return <span class="muted">{line.count} more</span>;
  }
}
