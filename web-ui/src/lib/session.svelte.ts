// What the pages know about the box and about who sits before it.
import { api, type BoxState, type Role, type SignedIn } from './api';

let box = $state.raw<BoxState | null>(null);

export const boxState = (): BoxState | null => box;
export const who = (): SignedIn | null => box?.signed_in ?? null;

export async function loadState(): Promise<BoxState> {
  box = await api.state();
  return box;
}

export function setSignedIn(signedIn: SignedIn | null): void {
  if (box) box = { ...box, signed_in: signedIn };
}

/** Who has something to manage here: the server, or some of its mail domains. */
export const isManager = (role: Role | undefined): boolean => role === 'admin' || role === 'domain-admin';

/** The first page of somebody of this role. */
export function entranceOf(role: Role | undefined): string {
  if (role === 'admin') return '/admin';
  return role === 'domain-admin' ? '/admin/accounts' : '/preferences';
}
