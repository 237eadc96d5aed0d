// One piece of good news that is told on the next page, such as "deleted" on the list one returns to.
let waiting = '';

export function leaveNews(text: string): void {
  waiting = text;
}

/** The news, once. */
export function takeNews(): string {
  const text = waiting;
  waiting = '';
  return text;
}
