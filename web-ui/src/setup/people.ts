// The rows of the page "People": what is filled in, what is wrong, what goes to the box.
import type { LineError, NewAccount } from '../lib/api';
import { looksLikeAddress } from '../lib/csv';
import { codeText } from '../lib/errors';
import { tKey } from '../lib/i18n/index.svelte';

export interface Row { key: number; name: string; address: string; password: string; errors: Record<string, string> }

export const isEmpty = (r: Row): boolean => r.name.trim() === '' && r.address.trim() === '';

/** `anna` in a box with one domain is `anna@that.domain`. */
export function completeAddress(given: string, domain: string): string {
  const a = given.trim();
  return a === '' || a.includes('@') || domain === '' ? a : `${a}@${domain}`;
}

/** Our own look; true when nothing is wrong. */
export function checkRows(rows: Row[]): boolean {
  const seen = new Set<string>();
  let fine = true;
  for (const row of rows) {
    row.errors = {};
    if (isEmpty(row)) continue;
    const address = row.address.trim().toLowerCase();
    if (!looksLikeAddress(address)) row.errors['address'] = tKey('err.address-invalid');
    else if (seen.has(address)) row.errors['address'] = tKey('err.duplicate');
    if ([...row.password].length < 8) row.errors['password'] = tKey('err.password-too-short');
    seen.add(address);
    fine &&= Object.keys(row.errors).length === 0;
  }
  return fine;
}

export const newAccounts = (rows: Row[]): NewAccount[] =>
  rows.map((r) => ({ address: r.address.trim(), name: r.name.trim(), password: r.password }));

/** Puts the box's complaints to the rows that were sent. */
export function placeErrors(sent: Row[], lines: readonly LineError[]): void {
  for (const line of lines) {
    const row = sent[line.line];
    if (row) row.errors[line.field ?? 'address'] = codeText(line.error);
  }
}
