/** Paths of 16 × 16 icons, drawn as lines. */
const PATHS = {
  alert: "M8 2.2 14.4 13.3H1.6L8 2.2ZM8 6.6v3M8 11.4v.1",
  arrow: "M2.5 8h11M9.5 4l4 4-4 4",
  back: "M13.5 8h-11M6.5 4l-4 4 4 4",
  box: "M2.5 5 8 2.2 13.5 5v6L8 13.8 2.5 11V5ZM2.5 5 8 7.8 13.5 5M8 7.8v6",
  check: "M3 8.5 6.5 12 13 4.5",
  chevron: "M6 3.5 10.5 8 6 12.5",
  close: "m4 4 8 8M12 4l-8 8",
  company: "M2.5 13.5h11M4 13.5v-11h5v11M9 6.5h3.5v7M6 5h1M6 7.5h1M6 10h1",
  edit: "m10.5 3 2.5 2.5-7.5 7.5H3v-2.5L10.5 3Z",
  expand: "M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5 9 7M2.5 13.5 7 9",
  group: "M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6ZM1.8 13.2c.3-2.4 2-3.7 4.2-3.7s3.9 1.3 4.2 3.7M10.6 3.2a2.1 2.1 0 0 1 0 4M11.8 9.7c1.4.5 2.2 1.7 2.4 3.5",
  info: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.3v3.4M8 5.2v.1",
  list: "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01",
  mail: "M2 4h12v8.5H2V4Zm0 .5 6 4.5 6-4.5",
  merge: "M3 3.5h2.5c2 0 2.5 4.5 5 4.5H13M3 12.5h2.5c2 0 2.5-4.5 5-4.5M11 5.5 13.5 8 11 10.5",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  note: "M3.5 2.5h9v11h-9v-11ZM6 6h4M6 8.5h4M6 11h2.5",
  person: "M8 7.6a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2ZM3 13.6c.4-2.6 2.3-4 5-4s4.6 1.4 5 4",
  phone: "M5 2.5h6v11H5v-11ZM7.3 11.4h1.4",
  plus: "M8 3v10M3 8h10",
  print: "M4.5 6V2.5h7V6M4.5 11.5H2.5V6h11v5.5h-2M4.5 9.5h7v4h-7v-4Z",
  refresh: "M13 8a5 5 0 1 1-1.6-3.7M13.2 2v3h-3",
  save: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.7 10.7 14 14",
  send: "M13.8 2.2 7 9M13.8 2.2 9.5 13.8 7 9 2.2 6.5l11.6-4.3Z",
  shrink: "M13.5 6.5h-4v-4M2.5 9.5h4v4M9.5 6.5l4-4M6.5 9.5l-4 4",
  tag: "M2.5 2.5h5l6 6-5 5-6-6v-5ZM5.2 5.3v-.1",
  trash: "M2.5 4h11M6 4V2.5h4V4M4 4l.6 9.5h6.8L12 4M6.7 6.7v4M9.3 6.7v4",
} as const;

export type IconName = keyof typeof PATHS;

/** An icon as decoration: screen readers skip it. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
