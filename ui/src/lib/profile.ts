// A profile with nothing in it yet: what the engine takes for a field that is not there.

import type { Profile } from './bindings';

export function emptyProfile(): Profile {
  return {
    id: '',
    name: '',
    server: '',
    sshCommand: '',
    subnets: [],
    excludes: [],
    capture: '',
    whileDown: 'open',
    latency: '',
    names: {
      dns: false,
      domains: [],
      nameServers: [],
      nsHosts: [],
      autoHosts: false,
      seedHosts: [],
      suffix: '',
    },
    reach: { autoNets: false, localNetworks: false, udp: false, share: [] },
    builtIn: false,
  };
}
