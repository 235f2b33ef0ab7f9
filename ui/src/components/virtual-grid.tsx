import { Component, type ComponentChildren } from "preact";
import { useCallback, useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Range, rangeInView, type RowHeights } from "../lib/row-heights";

interface VirtualGridProps {
  /** What the rows are, for screen readers. */
  label: string;
  columns: readonly string[];
  /** The widths of the columns, as in `grid-template-columns`. */
  template: string;
  heights: RowHeights;
  /** Changes whenever rows or heights have changed. */
  version: number;
  /** What a row shows. A row is rendered again only if this is another value, or its place or selection changes. */
  itemAt: (index: number) => unknown;
  /** The cells of a row: elements with role gridcell. */
  renderRow: (index: number) => ComponentChildren;
  /** Called with the rows that are rendered, so that they can be loaded. */
  onRange: (range: Range) => void;
  /** Called on a click on a row, or Enter. */
  onOpen: (index: number) => void;
  /** Called on the space bar, if rows can be selected; without it, the space bar opens. */
  onSelect?: (index: number) => void;
  isSelected?: (index: number) => boolean;
}

/** A table of any number of rows that renders only those in view. Arrow keys move the active row, Enter opens it. */
export function VirtualGrid(props: VirtualGridProps) {
  const { label, columns, template, heights, version, renderRow, onRange, onOpen, onSelect, isSelected } = props;
  const box = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const anchor = useRef({ index: 0, offset: 0 });
  const [range, setRange] = useState<Range>({ first: 0, end: 0 });
  const [active, setActive] = useState(-1);
  const id = useId();

  const update = useCallback(() => {
    if (!box.current) return;
    const { scrollTop, clientHeight } = box.current;
    const index = heights.indexAt(scrollTop);
    anchor.current = { index, offset: scrollTop - heights.offsetOf(index) };
    const next = rangeInView(heights, scrollTop, clientHeight);
    setRange((before) => (before.first === next.first && before.end === next.end ? before : next));
  }, [heights]);

  useLayoutEffect(() => {
    // Rows above the view may have become higher or lower: keep the row at the top where it is.
    const { index, offset } = anchor.current;
    if (box.current && index > 0) box.current.scrollTop = heights.offsetOf(index) + offset;
    update();
  }, [heights, version, update]);
  useLayoutEffect(() => {
    anchor.current = { index: 0, offset: 0 };
    if (box.current) box.current.scrollTop = 0;
    setActive(-1);
    update();
  }, [heights]);
  useEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(update);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [update]);
  useEffect(() => onRange(range), [range, onRange]);

  const moveTo = (index: number) => {
    const to = Math.max(0, Math.min(index, heights.count - 1));
    setActive(to);
    reveal(to);
  };
  const reveal = (index: number) => {
    if (!box.current) return;
    const headHeight = head.current?.offsetHeight ?? 0;
    const top = heights.offsetOf(index);
    const bottom = heights.offsetOf(index + 1) + headHeight;
    if (top < box.current.scrollTop) box.current.scrollTop = top;
    else if (bottom > box.current.scrollTop + box.current.clientHeight) box.current.scrollTop = bottom - box.current.clientHeight;
  };
  const press = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / 40) - 1);
    const target = targetOf(event.key, active, page, heights.count);
    if (event.target !== event.currentTarget) return;
    if (target !== null) moveTo(target);
    else if (event.key === " " && active >= 0 && onSelect) onSelect(active);
    else if ((event.key === "Enter" || event.key === " ") && active >= 0) onOpen(active);
    else return;
    event.preventDefault();
  };

  const open = (index: number) => {
    setActive(index);
    onOpen(index);
  };
  const rows = [];
  for (let index = range.first; index < Math.min(range.end, heights.count); index++) {
    rows.push(
      <GridRow
        key={index}
        id={`${id}-${index}`}
        index={index}
        template={template}
        height={heights.heightOf(index)}
        offset={heights.offsetOf(index)}
        isActive={index === active}
        isSelected={isSelected?.(index)}
        item={props.itemAt(index)}
        render={renderRow}
        onOpen={open}
      />,
    );
  }
  return (
    <div
      ref={box}
      class="grid scroll"
      role="grid"
      tabIndex={0}
      aria-label={label}
      aria-rowcount={heights.count + 1}
      aria-multiselectable={onSelect ? true : undefined}
      aria-activedescendant={active >= range.first && active < range.end ? `${id}-${active}` : undefined}
      onScroll={update}
      onKeyDown={press}
      onFocus={(event) => event.target === event.currentTarget && active < 0 && heights.count > 0 && setActive(0)}
    >
      <div ref={head} role="row" aria-rowindex={1} class="grid-head" style={{ gridTemplateColumns: template }}>
        {columns.map((column) => (
          <div key={column} role="columnheader">
            {column}
          </div>
        ))}
      </div>
      <div role="rowgroup" class="grid-body" style={{ height: `${heights.total}px` }}>
        {rows}
      </div>
    </div>
  );
}

interface GridRowProps {
  id: string;
  index: number;
  template: string;
  height: number;
  offset: number;
  isActive: boolean;
  isSelected: boolean | undefined;
  item: unknown;
  render: (index: number) => ComponentChildren;
  onOpen: (index: number) => void;
}

const COMPARED = ["item", "offset", "height", "isActive", "isSelected", "template"] as const;

/** A row. While one scrolls, the rows that stay in view are not rendered again. */
class GridRow extends Component<GridRowProps> {
  override shouldComponentUpdate(next: GridRowProps): boolean {
    return COMPARED.some((name) => this.props[name] !== next[name]);
  }

  override render({ id, index, template, height, offset, isActive, isSelected, render, onOpen }: GridRowProps) {
    return (
      <div
        id={id}
        role="row"
        class={isActive ? "grid-row active" : "grid-row"}
        aria-rowindex={index + 2}
        aria-selected={isSelected}
        style={{ gridTemplateColumns: template, height: `${height}px`, transform: `translateY(${offset}px)` }}
        onClick={() => onOpen(index)}
      >
        {render(index)}
      </div>
    );
  }
}

function targetOf(key: string, active: number, page: number, count: number): number | null {
  switch (key) {
    case "ArrowDown":
      return active + 1;
    case "ArrowUp":
      return active - 1;
    case "PageDown":
      return active + page;
    case "PageUp":
      return active - page;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}
