// A few failures in the engine's words.

import type { Code, Failure } from '../lib/bindings';

const WORDS: Partial<Record<Code, { title: string; cause: string; detail: string }>> = {
  'E-AUTH-KEY': {
    title: '{} refused your key',
    cause: 'Your account there may not know this key, or the user name is another one.',
    detail: 'ci@work.example.org: Permission denied (publickey,password).',
  },
  'E-SSH-ENDED': {
    title: 'The login to {} ended',
    cause: 'The network went away or the server closed it. It is tried again by itself.',
    detail: 'client_loop: send disconnect: Broken pipe',
  },
  'E-PROFILE-FILE': {
    title: '{} cannot be read',
    cause: 'Line 4 is not TOML. Correct the file or remove it.',
    detail:
      'TOML parse error at line 4, column 11\n  |\n4 | subnets = [10.0.0.0/8]\n  |           ^\ninvalid array',
  },
  'E-PROFILE-MISSING': { title: 'There is no profile {}', cause: 'It was removed meanwhile.', detail: '' },
  'E-IMPORT': {
    title: 'This is no profile',
    cause: 'It is neither a Ropeway profile nor an sshuttle command line.',
    detail: '',
  },
};

export function failure(code: Code, subject: string): Failure {
  const words = WORDS[code] ?? { title: code, cause: '', detail: '' };
  return { code, subject, ...words, title: words.title.replace('{}', subject) };
}
