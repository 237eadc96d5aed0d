// The network of the box as it stands in a form, and as the box wants it.
import type { BoxStatus, Network } from './api';

export interface NetworkDraft { mode: 'dhcp' | 'static'; address: string; gateway: string; dns: string }

export function draftOf(status: BoxStatus): NetworkDraft {
  const n = status.network;
  if (n?.mode === 'static') return { mode: 'static', address: n.address, gateway: n.gateway, dns: n.dns.join(' ') };
  const v4 = (status.addresses ?? []).find((a) => a.includes('.')) ?? '';
  return { mode: 'dhcp', address: v4, gateway: status.gateway ?? '', dns: (status.dns ?? []).slice(0, 3).join(' ') };
}

export function networkOf(d: NetworkDraft): Network {
  if (d.mode === 'dhcp') return { mode: 'dhcp' };
  return {
    mode: 'static', address: d.address.trim(), gateway: d.gateway.trim(),
    dns: d.dns.split(/[\s,;]+/).filter((x) => x !== ''),
  };
}

/** Where the pages are found after a change to a fixed address. */
export function newAddressUrl(n: Network): string | null {
  if (n.mode === 'dhcp') return null;
  const port = location.port === '' ? '' : `:${location.port}`;
  return `https://${n.address.split('/')[0] ?? ''}${port}/`;
}
