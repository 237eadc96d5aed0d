// Fields of a mailbox as they stand in a form.

/** Lines (or words) of a text field as a list without blanks. */
export const linesOf = (text: string): string[] => text.split(/[\s,;]+/).filter((x) => x !== '');

/** `null`: no limit. `undefined`: not a number. */
export function quotaOf(text: string): number | null | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  return /^\d{1,9}$/.test(trimmed) ? Number(trimmed) : undefined;
}
