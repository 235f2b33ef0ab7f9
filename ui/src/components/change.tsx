import { diffValues, type Piece } from "../lib/diff";
import { fieldLabel } from "../lib/plan";

interface ChangeProps {
  field: string;
  before: string | null;
  after: string | null;
}

/** A change of a field on one line: its name, the old value and the new one, with what differs marked. */
export function ChangeLine(change: ChangeProps) {
  return (
    <>
      <span class="change-field">{fieldLabel(change.field)}</span> <ChangeValues {...change} />
    </>
  );
}

/** The old and the new value, with what differs marked. */
export function ChangeValues({ field, before, after }: ChangeProps) {
  const diff = diffValues(field, before ?? "", after ?? "");
  return (
    <>
      {before ? <Pieces pieces={diff.before} tag="del" /> : <span class="muted">empty</span>}
      <span class="change-arrow" aria-label="becomes">
        {" → "}
      </span>
      {after ? <Pieces pieces={diff.after} tag="ins" /> : <span class="muted">empty</span>}
    </>
  );
}

function Pieces({ pieces, tag: Mark }: { pieces: readonly Piece[]; tag: "del" | "ins" }) {
  return (
    <bdi>
      {pieces.map((piece, index) => (piece.changed ? <Mark key={index}>{piece.text}</Mark> : <span key={index}>{piece.text}</span>))}
    </bdi>
  );
}
