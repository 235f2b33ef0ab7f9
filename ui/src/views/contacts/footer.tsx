import { useFormat } from "../../app/format";
import type { HandOver } from "../../app/use-hand-over";
import { Button } from "../../components/button";
import type { ContactPage } from "./use-contacts";

/** Which rows are shown, and the pages. */
export function Pager({ page, onPage }: { page: ContactPage; onPage: (page: number) => void }) {
  const format = useFormat();
  const first = (page.page - 1) * page.perPage + 1;
  const last = first + page.contacts.length - 1;
  const pages = Math.ceil(page.total / page.perPage);
  return (
    <>
      <span class="muted" role="status">
        {page.isSimilar
          ? format.count(page.total, "similar contact")
          : `${format.number(first)}–${format.number(last)} of ${format.number(page.total)}`}
        {page.leftOut > 0 && `; ${format.number(page.leftOut)} rows are too long to show`}
      </span>
      <span class="spacer" />
      {pages > 1 && (
        <>
          <Button small tone="quiet" icon="back" label="Previous page" disabled={page.page <= 1} onClick={() => onPage(page.page - 1)} />
          <span class="muted">
            Page {format.number(page.page)} of {format.number(pages)}
          </span>
          <Button small tone="quiet" icon="arrow" label="Next page" disabled={page.page >= pages} onClick={() => onPage(page.page + 1)} />
        </>
      )}
    </>
  );
}

interface SelectionProps {
  count: number;
  handOver: HandOver;
  onSend: () => void;
  onAddToGroup: () => void;
  onClear: () => void;
}

/** What can be done with the selected contacts. */
export function Selection({ count, handOver, onSend, onAddToGroup, onClear }: SelectionProps) {
  const format = useFormat();
  return (
    <>
      <strong>{format.number(count)} selected</strong>
      <Button small tone="quiet" onClick={onClear}>
        Clear
      </Button>
      <span class="spacer" />
      <Button small icon="group" onClick={onAddToGroup}>
        Add to group
      </Button>
      {handOver.isOffered && (
        <Button small tone="primary" icon="send" busy={handOver.isSending} onClick={onSend}>
          {handOver.label}
        </Button>
      )}
    </>
  );
}
