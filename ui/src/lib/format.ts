/** Numbers, dates and times in the viewer's locale: that of the host, or of the browser if the host names none. */
export interface Format {
  number(value: number): string;
  /** A number with its noun: "1 contact", "1,200 contacts". */
  count(value: number, singular: string, plural?: string): string;
  date(iso: string): string;
  dateTime(iso: string): string;
  list(items: readonly string[]): string;
}

const formats = new Map<string, Format>();

/**
 * Return the formats of a locale and time zone. An unknown locale or time zone is replaced by the browser's.
 *
 * They are created once: what they are made of takes longer to create than a whole row of a table to render.
 */
export function formatOf(locale?: string, timeZone?: string): Format {
  const key = JSON.stringify([locale, timeZone]);
  const format = formats.get(key) ?? createFormat(locale, timeZone);
  formats.set(key, format);
  return format;
}

function createFormat(locale?: string, timeZone?: string): Format {
  const known = isKnown(locale, undefined) ? locale : undefined;
  const zone = isKnown(undefined, timeZone) ? timeZone : undefined;
  const numbers = new Intl.NumberFormat(known);
  const dates = new Intl.DateTimeFormat(known, { dateStyle: "medium", ...(zone && { timeZone: zone }) });
  const times = new Intl.DateTimeFormat(known, { dateStyle: "medium", timeStyle: "short", ...(zone && { timeZone: zone }) });
  const lists = new Intl.ListFormat("en", { style: "long", type: "conjunction" }); // the labels are English
  return {
    number: (value) => numbers.format(value),
    count: (value, singular, plural = `${singular}s`) => `${numbers.format(value)} ${value === 1 ? singular : plural}`,
    date: (iso) => formatDate(dates, iso),
    dateTime: (iso) => formatDate(times, iso),
    list: (items) => lists.format(items),
  };
}

function formatDate(format: Intl.DateTimeFormat, iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : format.format(date);
}

function isKnown(locale: string | undefined, timeZone: string | undefined): boolean {
  try {
    new Intl.DateTimeFormat(locale, timeZone === undefined ? {} : { timeZone });
    return true;
  } catch {
    return false;
  }
}
