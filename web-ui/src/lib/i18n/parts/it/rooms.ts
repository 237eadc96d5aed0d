// The rooms of the administration, and what all of its lists say.
import type { rooms as en } from '../en/rooms';

export const rooms: Record<keyof typeof en, string> = {
  'pager.name': 'Pagine dell’elenco',
  'pager.part': 'Da {first} a {last} di {found}',
  'pager.back': 'Indietro',
  'pager.next': 'Avanti',
  'sort.by': 'Ordina per',
  'filter.all': 'Tutti',
  'filter.nothing': 'Nulla corrisponde a questi filtri.',
  'list.hidden.one': 'Un’altra riga non è mostrata. La ricerca la trova.',
  'list.hidden.other': 'Altre {n} righe non sono mostrate. La ricerca le trova.',
  'admin.wing.people': 'Persone',
  'admin.wing.mail': 'Posta',
  'admin.wing.server': 'Server',
  'admin.deleted': 'Caselle eliminate',
  'admin.storage': 'Spazio e posta eliminata',
};
