import { useState } from "preact/hooks";
import { useFormat } from "../../app/format";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import type { Count, Remark } from "../../lib/plan";

/** The numbers of a plan or of its result. */
export function Counts({ counts }: { counts: readonly Count[] }) {
  const format = useFormat();
  if (!counts.length) return null;
  return (
    <dl class="counts">
      {counts.map((count) => (
        <div key={count.key} class={`count ${count.tone}`} title={count.help}>
          <dt>{count.label}</dt>
          <dd>{format.number(count.value)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What is shared, lost or to be known, as short words; a click shows all of it. */
export function Remarks({ remarks }: { remarks: readonly Remark[] }) {
  const [isOpen, setIsOpen] = useState(false);
  if (!remarks.length) return null;
  return (
    <div class="remarks">
      {remarks.slice(0, MAX_SHOWN).map((remark) => (
        <button key={remark.text} type="button" class={`badge ${remark.tone}`} onClick={() => setIsOpen(true)}>
          {remark.text}
        </button>
      ))}
      {remarks.length > MAX_SHOWN && (
        <button type="button" class="badge" onClick={() => setIsOpen(true)}>
          {remarks.length - MAX_SHOWN} more
        </button>
      )}
      {isOpen && (
        <Dialog title="About this plan" onClose={() => setIsOpen(false)}>
          {remarks.map((remark) => (
            <section key={remark.text}>
              <h2 class={`remark ${remark.tone}`}>{remark.text}</h2>
              {remark.details.map((detail) => (
                <p key={detail} class="muted">
                  {detail}
                </p>
              ))}
            </section>
          ))}
          <div class="buttons end">
            <Button onClick={() => setIsOpen(false)}>Close</Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

const MAX_SHOWN = 3;
