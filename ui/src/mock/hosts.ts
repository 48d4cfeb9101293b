// Names near a server, always the same ones.

import type { HostRow, HostSource, HostState, HostsDelta, ProfileId } from '../lib/bindings';

const NAMES: [string, string, HostSource, HostState][] = [
  ['db-main', '10.20.4.12', 'hosts-file', 'in-force'],
  ['wiki', '10.20.4.31', 'seed', 'in-force'],
  ['wiki', 'fd00:20::31', 'seed', 'in-force'],
  ['git', '10.20.4.7', 'reverse-dns', 'in-force'],
  ['filesrv', '10.20.9.3', 'netbios', 'in-force'],
  ['backup', '10.20.9.8', 'cache', 'waiting'],
  ['git', '10.20.4.8', 'reverse-dns', 'other-address'],
  ['www', '192.0.2.80', 'reverse-dns', 'outside'],
  ['printer', '10.20.9.40', 'netbios', 'taken'],
];

const MINUTE = 60_000;

export function hostsOf(profiles: readonly ProfileId[]): HostsDelta {
  const changed = profiles.flatMap((profile, nth) =>
    NAMES.map(([name, address, source, state], at): HostRow => {
      const found = source === 'netbios' ? name : `${name}.corp.example`;
      const seen = Date.now() - at * MINUTE;
      return { id: 100 * nth + at + 1, profile, name, found, address, source, seen, state };
    }),
  );
  return { snapshot: true, changed, gone: [] };
}
