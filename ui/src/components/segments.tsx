interface SegmentsProps<T extends string> {
  /** What is chosen here, for screen readers. */
  label: string;
  options: readonly { value: T; text: string; count?: string }[];
  value: T;
  onChange: (value: T) => void;
}

/** A choice of one among a few, all visible. Arrow keys move it, as in every radio group. */
export function Segments<T extends string>({ label, options, value, onChange }: SegmentsProps<T>) {
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = options.findIndex((option) => option.value === value);
    const next = options[(at + step + options.length) % options.length];
    if (!next) return;
    onChange(next.value);
    const buttons = (event.currentTarget as HTMLElement).querySelectorAll("button");
    buttons[options.indexOf(next)]?.focus();
  };
  return (
    <div class="segments" role="radiogroup" aria-label={label} onKeyDown={move}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          role="radio"
          class="segment"
          aria-checked={option.value === value}
          tabIndex={option.value === value ? 0 : -1}
          onClick={() => onChange(option.value)}
        >
          {option.text}{" "}
          {option.count !== undefined && <span class="segment-count">{option.count}</span>}
        </button>
      ))}
    </div>
  );
}
