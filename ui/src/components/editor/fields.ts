// Names of the editor's fields for tests from outside: `field-ssh-command` and the like.

import type { Field } from '../../lib/bindings';

export function testId(field: Field): string {
  return `field-${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
