/** A piece of a value; `changed` if it differs from the other value. */
export interface Piece {
  text: string;
  changed: boolean;
}

/** The old and the new value in pieces. */
export interface Diff {
  before: Piece[];
  after: Piece[];
}

const MIN_COMMON_SHARE = 1 / 3; // with less in common, marking parts is harder to read than marking the whole

/** Compare two values: lists separated by commas item by item, other texts by their common beginning and end. */
export function diffValues(field: string, before: string, after: string): Diff {
  if (field === "tags") return diffLists(before, after);
  return diffTexts(before, after, field === "phone_number");
}

/** A last digit that two numbers share by chance says nothing, so only their beginning is compared. */
function diffTexts(before: string, after: string, isNumber: boolean): Diff {
  const [old, next] = [characters(before), characters(after)];
  const shorter = Math.min(old.length, next.length);
  let start = 0;
  while (start < shorter && old[start] === next[start]) start++;
  let end = 0;
  while (!isNumber && end < shorter - start && old[old.length - 1 - end] === next[next.length - 1 - end]) end++;
  if (!isNumber && start + end < Math.max(old.length, next.length) * MIN_COMMON_SHARE) [start, end] = [0, 0];
  return { before: cut(old, start, end), after: cut(next, start, end) };
}

function cut(text: string[], start: number, end: number): Piece[] {
  const pieces = [
    { text: text.slice(0, start).join(""), changed: false },
    { text: text.slice(start, text.length - end).join(""), changed: true },
    { text: text.slice(text.length - end).join(""), changed: false },
  ];
  return pieces.filter((piece) => piece.text);
}

function diffLists(before: string, after: string): Diff {
  const [old, next] = [items(before), items(after)];
  const mark = (list: string[], other: string[]): Piece[] =>
    list.flatMap((text, index) => [
      ...(index ? [{ text: ", ", changed: false }] : []),
      { text, changed: !other.includes(text) },
    ]);
  return { before: mark(old, next), after: mark(next, old) };
}

function items(list: string): string[] {
  return list.split(",").flatMap((item) => item.trim() || []);
}

const SEGMENTER = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Split into what a reader sees as characters, so that no letter is cut from its accent. */
function characters(text: string): string[] {
  if (/^[\x20-\x7e]*$/.test(text)) return text.split(""); // the segmenter is slow
  return Array.from(SEGMENTER.segment(text), (part) => part.segment);
}
