// The way out as it stands in a form, and as the box wants it.
import type { Outbound, OutboundChange, Tls } from './api';

export interface OutboundDraft {
  mode: 'direct' | 'smarthost'; host: string; port: string; tls: Tls; user: string; password: string;
}

export const USUAL_PORT: Readonly<Record<Tls, string>> = { starttls: '587', implicit: '465', none: '25' };

export function draftOf(stored: Outbound): OutboundDraft {
  const tls = stored.tls ?? 'starttls';
  return {
    mode: stored.mode, host: stored.host ?? '', port: stored.port ? String(stored.port) : USUAL_PORT[tls], tls,
    user: stored.user ?? '', password: '',
  };
}

/** What to send. A password left empty keeps the stored one; an empty user name takes it away. */
export function changeOf(draft: OutboundDraft): OutboundChange {
  if (draft.mode === 'direct') return { mode: 'direct' };
  const change: OutboundChange = {
    mode: 'smarthost', host: draft.host.trim(), port: Number(draft.port) || 0, tls: draft.tls,
    user: draft.user.trim() || null,
  };
  if (draft.user.trim() === '') change.password = draft.password || null;
  else if (draft.password !== '') change.password = draft.password;
  return change;
}
