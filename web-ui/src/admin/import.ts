// Files of people: which kinds there are, how a file tells its kind, and what its lines say.
import { codeText } from '../lib/errors';
import type { ImportFormat, ImportLine, ImportReport } from '../lib/directory';
import { hasKey, tKey } from '../lib/i18n/index.svelte';

export const FORMATS: readonly ImportFormat[] = ['csv', 'ldif', 'vcard'];

/** By the end of the name: spreadsheets are the usual ones. */
export function formatOf(name: string): ImportFormat {
  if (/\.(ldif|ldf)$/i.test(name)) return 'ldif';
  return /\.(vcf|vcard)$/i.test(name) ? 'vcard' : 'csv';
}

/** Why a line cannot be taken, in plain words. */
export function problemOf(line: ImportLine): string {
  const key = `import.problem.${line.error ?? ''}`;
  return hasKey(key) ? tKey(key) : codeText(line.error ?? 'internal');
}

/** What needs a look comes first. */
export const sortedLines = (report: ImportReport): ImportLine[] =>
  [...report.lines].sort((a, b) => Number(b.action === 'error') - Number(a.action === 'error') || a.line - b.line);

/** As many lines as a person reads; the counts above say the rest. */
export const LINES_SHOWN = 200;
