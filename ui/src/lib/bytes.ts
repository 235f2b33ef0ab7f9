const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
const STEP = 1_000;

/** Return a function that writes a number of bytes in the largest fitting unit: "1.2 MB". */
export function createBytes(locale?: string): (bytes: number) => string {
  return (bytes) => {
    const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log(Math.max(1, bytes)) / Math.log(STEP))));
    const options = { style: "unit", unit: UNITS[power] ?? "byte", maximumFractionDigits: power ? 1 : 0 } as const;
    return new Intl.NumberFormat(locale, options).format(bytes / STEP ** power);
  };
}
