import { useCallback } from "preact/hooks";
import { Empty, ErrorNote, Skeleton } from "../../components/states";
import { VirtualGrid } from "../../components/virtual-grid";
import { type AudienceMember, type PartName, remarkOf } from "../../lib/audience";
import type { PagedRows, PagedState } from "../../lib/paged-rows";
import type { Range, RowHeights } from "../../lib/row-heights";

interface MembersProps {
  part: PartName;
  rows: PagedRows<AudienceMember>;
  state: PagedState;
  heights: RowHeights;
  selected: ReadonlyMap<string, unknown>;
  /** Without it, members cannot be selected. */
  onSelect?: (member: AudienceMember) => void;
}

/** The members of a part. A click, Enter and the space bar select, if they can be selected. */
export function Members({ part, rows, state, heights, selected, onSelect }: MembersProps) {
  const load = useCallback((range: Range) => range.end > 0 && rows.want(range.first, range.end), [rows]);
  const select = (index: number) => {
    const member = rows.get(index);
    if (member) onSelect?.(member);
  };
  const hasNumbers = part !== "no_number";
  const hasRemarks = part === "reachable" || part === "landlines" || part === "duplicates";
  return (
    <>
      {state.error && (
        <div class="pad">
          <ErrorNote title="The members could not be loaded" message={state.error.message} onRetry={() => rows.retry()} />
        </div>
      )}
      {state.status === "loading" && <Skeleton rows={6} label="Loading the members" />}
      {state.status === "ready" && state.total === 0 && <Empty title="No member is in this part any more" />}
      {state.total > 0 && (
        <div class={onSelect ? "list members selectable" : "list members"}>
          <VirtualGrid
            label="Members"
            columns={[...(onSelect ? ["Select"] : []), "Name", ...(hasNumbers ? ["Phone"] : []), ...(hasRemarks ? ["Remark"] : [])]}
            template={`${onSelect ? "20px " : ""}minmax(0, 1.6fr)${hasNumbers ? " minmax(0, 1fr)" : ""}${hasRemarks ? " minmax(0, 1fr)" : ""}`}
            heights={heights}
            version={state.version}
            itemAt={(index) => rows.get(index)}
            renderRow={(index) => (
              <Cells
                member={rows.get(index)}
                isSelectable={Boolean(onSelect)}
                hasNumbers={hasNumbers}
                hasRemarks={hasRemarks}
                isSelected={selected.has(rows.get(index)?.id ?? "")}
              />
            )}
            onRange={load}
            onOpen={select}
            {...(onSelect && { onSelect: select, isSelected: (index: number) => selected.has(rows.get(index)?.id ?? "") })}
          />
        </div>
      )}
    </>
  );
}

interface CellsProps {
  member: AudienceMember | undefined;
  isSelectable: boolean;
  hasNumbers: boolean;
  hasRemarks: boolean;
  isSelected: boolean;
}

function Cells({ member, isSelectable, hasNumbers, hasRemarks, isSelected }: CellsProps) {
  if (!member) {
    return (
      <div role="gridcell" class="grid-cell loading" aria-busy="true">
        <span class="skeleton-row" />
      </div>
    );
  }
  return (
    <>
      {isSelectable && (
        <div role="gridcell" class="grid-cell select">
          <input type="checkbox" class="inert" tabIndex={-1} checked={isSelected} aria-label={`Select ${member.name ?? "this member"}`} />
        </div>
      )}
      <div role="gridcell" class="grid-cell truncate strong">
        <bdi>{member.name || "No name"}</bdi>
      </div>
      {hasNumbers && (
        <div role="gridcell" class="grid-cell truncate">
          <bdi>{member.phone_number}</bdi>
        </div>
      )}
      {hasRemarks && (
        <div role="gridcell" class="grid-cell truncate muted">
          <bdi>{remarkOf(member)}</bdi>
        </div>
      )}
    </>
  );
}
