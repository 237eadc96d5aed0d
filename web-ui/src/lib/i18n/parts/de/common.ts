// Words that several pages share.
import type { common as en } from '../en/common';

export const common: Record<keyof typeof en, string> = {
  'pager.name': 'Seiten der Liste',
  'pager.part': '{first} bis {last} von {found}',
  'pager.back': 'Zurück',
  'pager.next': 'Weiter',
  'sort.by': 'Sortieren nach',
  'filter.all': 'Alle',
  'filter.nothing': 'Zu diesen Filtern passt nichts.',
  'admin.wing.people': 'Personen',
  'admin.wing.mail': 'Mail',
  'admin.wing.server': 'Server',
  'admin.deleted': 'Gelöschte Postfächer',
  'admin.storage': 'Platz und gelöschte Mail',
};
