// What the pages know about the box and about who sits before it.
import { api, type BoxState, type SignedIn } from './api';

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
