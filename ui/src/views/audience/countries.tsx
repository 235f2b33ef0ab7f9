import { useMemo } from "preact/hooks";
import { useFormat } from "../../app/format";
import { useHostState } from "../../app/host";
import type { Country } from "../../lib/audience";

/** The countries of the reachable members, those with most members first. */
export function Countries({ countries, total }: { countries: readonly Country[]; total: number }) {
  const format = useFormat();
  const { locale } = useHostState();
  const names = useMemo(() => new Intl.DisplayNames([locale ?? navigator.language, "en"], { type: "region" }), [locale]);
  const nameOf = (code: string) => (/^[A-Z]{2}$/.test(code) ? names.of(code) ?? code : code || "Unknown");
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Countries">
      <table class="table countries">
        <thead>
          <tr>
            <th>Country</th>
            <th class="number">Members</th>
            <th class="number">Share</th>
          </tr>
        </thead>
        <tbody>
          {countries.map(({ code, count }) => (
            <tr key={code}>
              <td>
                {nameOf(code)} <span class="muted">{code}</span>
              </td>
              <td class="number">{format.number(count)}</td>
              <td class="number muted">{percent(count, total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function percent(count: number, total: number): string {
  const share = (count / total) * 100;
  return share < 1 ? "< 1 %" : `${Math.round(share)} %`;
}
