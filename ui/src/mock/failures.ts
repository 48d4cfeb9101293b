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
  'E-HELPER-MISSING': {
    title: 'The set-up part of {} did not start.',
    cause:
      'It is not installed, or it is damaged. Set up this computer again; an administrator is asked for it.',
    detail: 'org.freedesktop.DBus.Error.ServiceUnknown: The name org.ropeway.Helper1 was not provided',
  },
  'E-HELPER-OLD': {
    title: 'The set-up part of {} does not fit this app.',
    cause: 'One of the two was updated and the other was not.',
    detail: 'helper 1.4, app 2.0',
  },
  'E-NOT-GRANTED': {
    title: 'You may not send traffic of {} through a tunnel yet.',
    cause: 'An administrator has to allow it once. Set-up asks for that; afterwards nobody is asked again.',
    detail: '',
  },
  'E-DENIED': {
    title: 'Nothing was changed on {}.',
    cause:
      'The administrator’s password was not given, or the question was closed. Try again when somebody who may ' +
      'allow it is there.',
    detail: '',
  },
  'E-HELPER-SETUP': {
    title: 'Set-up of {} did not finish.',
    cause:
      'The part of Ropeway that changes network rules could not be put in its place. Nothing is half-installed; the ' +
      'details say what was in the way.',
    detail: 'writing /usr/libexec/ropeway-helper: Read-only file system (os error 30)',
  },
  'E-FW-GONE': {
    title: 'Another program removed our network rules.',
    cause:
      'They were put back at once. A firewall that is loaded anew often does this; connections made in between went ' +
      'their usual way.',
    detail: 'table ip ropeway: gone; loaded again after 1.2 s',
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
