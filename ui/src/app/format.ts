import { type Format, formatOf } from "../lib/format";
import { useHostState } from "./host";

/** Return the formats of the viewer's locale. */
export function useFormat(): Format {
  const { locale, timeZone } = useHostState();
  return formatOf(locale, timeZone);
}
