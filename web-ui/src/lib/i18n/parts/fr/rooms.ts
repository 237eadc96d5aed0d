// The rooms of the administration, and what all of its lists say.
import type { rooms as en } from '../en/rooms';

export const rooms: Record<keyof typeof en, string> = {
  'pager.name': 'Pages de la liste',
  'pager.part': '{first} à {last} sur {found}',
  'pager.back': 'Précédent',
  'pager.next': 'Suivant',
  'sort.by': 'Trier par',
  'filter.all': 'Tous',
  'filter.nothing': 'Rien ne correspond à ces filtres.',
  'list.hidden.one': 'Une ligne de plus n’est pas affichée. La recherche la trouve.',
  'list.hidden.other': '{n} autres lignes ne sont pas affichées. La recherche les trouve.',
  'admin.wing.people': 'Personnes',
  'admin.wing.mail': 'Courrier',
  'admin.wing.server': 'Serveur',
  'admin.deleted': 'Boîtes supprimées',
  'admin.storage': 'Espace et courrier supprimé',
};
