// The external directory as it stands in a form, and as the box wants it.
import type { Source, SourceChange, SourceTls } from '../lib/directory';

export interface SourceDraft {
  preset: 'active-directory' | 'ldap'; host: string; port: string; tls: SourceTls; bindDn: string; password: string; base: string;
  filter: string; fingerprint: string; minutes: string; enabled: boolean;
}

export const PORT_OF: Readonly<Record<SourceTls, string>> = { tls: '636', starttls: '389', none: '389' };

export function draftOf(s: Source | null): SourceDraft {
  const fresh: SourceDraft = {
    preset: 'active-directory', host: '', port: '636', tls: 'tls', bindDn: '', password: '', base: '', filter: '', fingerprint: '',
    minutes: '60', enabled: true,
  };
  if (!s) return fresh;
  const [, host = '', port = ''] = /^ldaps?:\/\/(\[[^\]]*\]|[^:/]*)(?::(\d+))?/.exec(s.url) ?? [];
  return {
    preset: s.preset, host, port: port || PORT_OF[s.tls], tls: s.tls, bindDn: s.bind_dn, password: '', base: s.base,
    filter: s.filter ?? '', fingerprint: s.fingerprint ?? '', minutes: String(s.interval_minutes), enabled: s.enabled,
  };
}

/** What to send. What the form does not show stays as it is stored; an empty password keeps the stored one. */
export function changeOf(d: SourceDraft, stored: Source | null): SourceChange {
  const change: SourceChange = {
    enabled: d.enabled, preset: d.preset, tls: d.tls, base: d.base.trim(), bind_dn: d.bindDn.trim(),
    filter: d.filter.trim() || null,
    url: `${d.tls === 'tls' ? 'ldaps' : 'ldap'}://${d.host.trim()}:${d.port.trim()}`,
    fingerprint: d.fingerprint.trim() || null, ca_pem: stored?.ca_pem ?? null,
    group_filter: stored?.group_filter ?? null, attributes: stored?.attributes ?? {},
    interval_minutes: Number(d.minutes) || 0, cache_days: stored?.cache_days ?? 14,
  };
  if (d.password !== '') change.bind_password = d.password;
  return change;
}

/** `firma.example.com` is usually found below `DC=firma,DC=example,DC=com`. */
export function baseGuess(host: string): string {
  const labels = host.trim().split('.').slice(1);
  return labels.length < 2 || /^\d/.test(host) ? '' : labels.map((l) => `DC=${l}`).join(',');
}
