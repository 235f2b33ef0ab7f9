import { useEffect, useMemo, useState } from "preact/hooks";
import { useHost, useStore } from "../../app/host";
import { PagedRows, type PagedState } from "../../lib/paged-rows";
import { heightOf, LINE_HEIGHT_PX, type PlanRow, ROW_PADDING_PX, type Show, type ShownRow, showRow } from "../../lib/plan";
import { RowHeights } from "../../lib/row-heights";
import type { Plan } from "./use-plan";

const PAGE_SIZE = 200;

interface PlanPage {
  plan?: string;
  total: number;
  rows: Partial<PlanRow>[];
  /** Rows that change something, and rows that a person should look at. */
  changes?: number;
  attention?: number;
  /** Further rows, which are too many to list. */
  not_listed?: number;
}

/** Counts of all rows, whichever are shown. */
export interface RowCounts {
  changes?: number;
  attention?: number;
  notListed: number;
}

interface PlanRows {
  rows: PagedRows<ShownRow>;
  state: PagedState;
  heights: RowHeights;
  counts: RowCounts;
}

/**
 * Load the rows of a plan as they come into view.
 *
 * @param onOther called if the rows belong to another plan: something has changed since it was made
 */
export function usePlanRows(plan: Plan, show: Show, onOther: () => void): PlanRows {
  const host = useHost();
  const [counts, setCounts] = useState<RowCounts>({ notListed: 0 });
  const rows = useMemo(
    () =>
      new PagedRows<ShownRow>(async (offset, limit, signal) => {
        const args = { tool: plan.tool, arguments: plan.arguments, offset, limit, show };
        const { data } = await host.call<PlanPage>("list_plan_rows", args, { signal });
        if (plan.fingerprint && data.plan && data.plan !== plan.fingerprint) onOther();
        setCounts({
          notListed: data.not_listed ?? 0,
          ...(data.changes !== undefined && { changes: data.changes }),
          ...(data.attention !== undefined && { attention: data.attention }),
        });
        return { total: data.total, rows: data.rows.map(showRow) };
      }, PAGE_SIZE),
    [host, plan.tool, plan.arguments, plan.fingerprint, show],
  );
  useEffect(() => {
    rows.want(0, 1);
    return () => rows.close();
  }, [rows]);
  const state = useStore(rows.state);
  const heights = useMemo(() => new RowHeights(state.total, LINE_HEIGHT_PX + ROW_PADDING_PX), [rows, state.total]);
  useMemo(() => {
    for (let index = 0; index < state.total; index++) {
      const row = rows.get(index);
      if (row) heights.set(index, heightOf(row));
    }
  }, [rows, heights, state.version]);
  return { rows, state, heights, counts };
}
