import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { ChangeValues } from "../../components/change";
import { Dialog } from "../../components/dialog";
import { Note } from "../../components/states";
import { actionOf, fieldLabel, type PlanRow } from "../../lib/plan";

/** Everything about one row of a plan. */
export function RowDialog({ row, onClose }: { row: PlanRow; onClose: () => void }) {
  const action = actionOf(row.action);
  return (
    <Dialog title={row.name || "No name"} onClose={onClose}>
      <p class="muted">
        <Badge tone={action.tone}>{action.text}</Badge> {row.row !== null && `Row ${row.row}`} {row.id && <span class="mono">{row.id}</span>}
      </p>
      {row.changes.length > 0 && (
        <dl class="pairs">
          {row.changes.map((change) => (
            <div key={change.field}>
              <dt>{fieldLabel(change.field)}</dt>
              <dd>{change.before === null ? <bdi>{change.after}</bdi> : <ChangeValues {...change} />}</dd>
            </div>
          ))}
        </dl>
      )}
      {row.notes.map((note) => (
        <Note key={note} tone="warning">
          {note}
        </Note>
      ))}
      <div class="buttons end">
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  );
}
