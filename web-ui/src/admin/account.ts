// Fields of a mailbox as they stand in a form.

/** How much a mailbox may hold, as it stands in a form. */
export interface QuotaDraft { kind: 'default' | 'own' | 'none'; mb: string }

/** `null` is the default, 0 is without limit. */
export function quotaDraft(quotaMb: number | null): QuotaDraft {
  if (quotaMb === null) return { kind: 'default', mb: '' };
  return quotaMb === 0 ? { kind: 'none', mb: '' } : { kind: 'own', mb: String(quotaMb) };
}

/** What to send; `undefined`: not a number. */
export function quotaOf(draft: QuotaDraft): number | null | undefined {
  if (draft.kind !== 'own') return draft.kind === 'none' ? 0 : null;
  const mb = draft.mb.trim();
  return /^[1-9]\d{0,8}$/.test(mb) ? Number(mb) : undefined;
}

/** The number that the address line ends with: `/admin/accounts/17`. */
export function idOf(path: string): number | null {
  const found = /\/(\d{1,12})$/.exec(path);
  return found ? Number(found[1]) : null;
}
