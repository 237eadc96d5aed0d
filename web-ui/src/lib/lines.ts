// Lists as they stand in a text field, one on each line.
import type { Attempt } from './attempt.svelte';

/** Lines (or words) of a text field as a list. What has one @ is one thing: names of groups may have blanks. */
export const linesOf = (text: string): string[] =>
  text.split(/[\r\n\t,;]+/).map((line) => line.trim())
    .flatMap((line) => (line.split('@').length === 2 ? [line] : line.split(/\s+/))).filter((x) => x !== '');

/** The complaint about a list, with the item that it is about: `members.3` is the fourth. */
export function complaintOf(attempt: Attempt, field: string, items: readonly string[]): string | undefined {
  const text = attempt.at(field);
  const n = /^\w+\.(\d+)$/.exec(attempt.error?.field ?? '')?.[1];
  const item = n === undefined ? undefined : items[Number(n)];
  return text !== undefined && item !== undefined ? `${item}: ${text}` : text;
}
