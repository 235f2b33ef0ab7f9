import { useEffect, useMemo, useState } from "preact/hooks";
import { useHost, useStore } from "../../app/host";
import type { Fields } from "../../lib/answer";
import { type AudienceMember, type Country, type PartName, readCountries } from "../../lib/audience";
import { PagedRows, type PagedState } from "../../lib/paged-rows";
import { RowHeights } from "../../lib/row-heights";

const PAGE_SIZE = 100; // so few that the server never has to shorten a page
const ROW_HEIGHT_PX = 35;

interface MemberPage {
  total: number;
  contacts: AudienceMember[];
  countries?: unknown;
}

interface Members {
  rows: PagedRows<AudienceMember>;
  state: PagedState;
  heights: RowHeights;
  /** All countries, once a page is there. */
  countries: readonly Country[];
}

/** Load the members of a part of the audience as they come into view. */
export function useMembers(group: Fields, part: PartName): Members {
  const host = useHost();
  const [countries, setCountries] = useState<readonly Country[]>([]);
  const rows = useMemo(
    () =>
      new PagedRows<AudienceMember>(async (offset, limit, signal) => {
        const { data } = await host.call<MemberPage>("list_audience", { ...group, part, offset, limit }, { signal });
        setCountries((before) => (before.length ? before : readCountries(data.countries)));
        return { total: data.total, rows: data.contacts };
      }, PAGE_SIZE),
    [host, group, part],
  );
  useEffect(() => {
    rows.want(0, 1);
    return () => rows.close();
  }, [rows]);
  const state = useStore(rows.state);
  const heights = useMemo(() => new RowHeights(state.total, ROW_HEIGHT_PX), [rows, state.total]);
  return { rows, state, heights, countries };
}
