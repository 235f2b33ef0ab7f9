import { useMemo } from "preact/hooks";
import { createFormat, type Format } from "../lib/format";
import { useHostState } from "./host";

/** Return the formats of the viewer's locale. */
export function useFormat(): Format {
  const { locale, timeZone } = useHostState();
  return useMemo(() => createFormat(locale, timeZone), [locale, timeZone]);
}
