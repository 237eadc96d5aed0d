// Owns the address line: a handful of paths of our own, history included.
// Must never follow a link away from this origin itself; those are left to the browser.
let current = $state(location.pathname);

addEventListener('popstate', () => { current = location.pathname; });

export const path = (): string => current;

export function go(to: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') history.pushState(null, '', to);
  else history.replaceState(null, '', to);
  current = location.pathname;
  scrollTo(0, 0);
}

/** A click handler for a whole tree: plain clicks on our own links stay in the page. */
export function onLinkClick(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest('a');
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute('download')) return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
