// Files of people: which kinds there are, how a file tells its kind, and which lines come first.
import type { ImportFormat, ImportLine, ImportReport } from '../lib/directory';

export const FORMATS: readonly ImportFormat[] = ['csv', 'ldif', 'vcard'];

/** By the end of the name: spreadsheets are the usual ones. */
export function formatOf(name: string): ImportFormat {
  if (/\.(ldif|ldf)$/i.test(name)) return 'ldif';
  return /\.(vcf|vcard)$/i.test(name) ? 'vcard' : 'csv';
}

/** What needs a look comes first. */
export const sortedLines = (report: ImportReport): ImportLine[] =>
  [...report.lines].sort((a, b) => Number(b.action === 'error') - Number(a.action === 'error') || a.line - b.line);

/** Where the words for a code do not say enough, the server's own say the rest. */
const NEEDS_DETAIL = ['entry-refused', 'record-invalid', 'refused-by-webhook'];
export const detailOf = (l: ImportLine): string => (NEEDS_DETAIL.includes(l.error ?? '') ? (l.detail ?? '') : '');

/** As many lines as a person reads; the counts above say the rest. */
export const LINES_SHOWN = 200;
