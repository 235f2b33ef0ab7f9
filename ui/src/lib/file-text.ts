const MAX_TEXT_BYTES = 700_000; // a message has room for 1 MiB, and JSON makes a text longer
const TEXT_NAME = /\.(csv|tsv|txt|vcf|vcard|json|ldif)$/i;

/** Return the text of a file of contacts. Throws an Error for a person if it is too large, no text, or not in UTF-8. */
export async function readText(file: Pick<File, "name" | "size" | "arrayBuffer">): Promise<string> {
  if (!TEXT_NAME.test(file.name) || file.size > MAX_TEXT_BYTES) {
    throw new Error("Only text files of up to 700 KB can be sent here. Save the file as CSV, or ask the operator of the server for links.");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error("The file is not in UTF-8, so its letters would be lost. Save it as CSV in UTF-8.");
  }
}
