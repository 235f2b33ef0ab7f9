import { useFormat } from "../../app/format";
import { type Part, type PartName, sharesOf } from "../../lib/audience";

/** What the list shows: a part of the audience, or the countries. */
export type Shown = PartName | "countries";

interface BarProps {
  parts: readonly Part[];
  countries: number;
  shown: Shown;
  onShow: (shown: Shown) => void;
}

/** The audience as one bar, and its parts as buttons that choose what is listed. */
export function AudienceBar({ parts, countries, shown, onShow }: BarProps) {
  const format = useFormat();
  const shares = sharesOf(parts);
  const summary = shares.map(({ part }) => `${part.label}: ${format.number(part.count)}`).join(", ");
  return (
    <div class="audience">
      <div class="bar" role="img" aria-label={summary}>
        {shares.map(({ part, percent }) => (
          <span key={part.name} class={`share ${part.name}`} style={{ width: `${percent}%` }} title={`${part.label}: ${format.number(part.count)}`} />
        ))}
      </div>
      <div class="parts" role="group" aria-label="What to list">
        {parts.filter((part) => !part.isSubset).map((part) => (
          <Choice key={part.name} {...part} shown={shown} onShow={onShow} />
        ))}
        <span class="line-break" />
        {parts.filter((part) => part.isSubset).map((part) => (
          <Choice key={part.name} {...part} shown={shown} onShow={onShow} />
        ))}
        {countries > 0 && (
          <Choice name="countries" label={countries === 1 ? "Country" : "Countries"} count={countries} help="Countries of the reachable members" shown={shown} onShow={onShow} />
        )}
      </div>
    </div>
  );
}

interface ChoiceProps {
  name: Shown;
  label: string;
  count: number;
  help: string;
  shown: Shown;
  onShow: (shown: Shown) => void;
}

function Choice({ name, label, count, help, shown, onShow }: ChoiceProps) {
  const format = useFormat();
  return (
    <button type="button" class="part" aria-pressed={name === shown} title={help} onClick={() => onShow(name)}>
      <span class={`key ${name}`} aria-hidden="true" />
      <span>{label}</span>{" "}
      <strong>{format.number(count)}</strong>
    </button>
  );
}
