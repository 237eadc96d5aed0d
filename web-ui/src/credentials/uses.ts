// What an app password is for, in the words of who uses it, and the protocols behind the words.
import type { Protocol } from '../lib/security';

export const USES = ['read', 'send', 'look-up'] as const;
export type Use = (typeof USES)[number];

const BEHIND: Readonly<Record<Use, readonly Protocol[]>> = { read: ['imap', 'pop3'], send: ['smtp'], 'look-up': ['ldap'] };

export const protocolsOf = (uses: readonly Use[]): Protocol[] =>
  USES.filter((u) => uses.includes(u)).flatMap((u) => BEHIND[u]);

export const usesOf = (protocols: readonly Protocol[]): Use[] =>
  USES.filter((u) => BEHIND[u].some((p) => protocols.includes(p)));
