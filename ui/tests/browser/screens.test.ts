// Every page of the window, light and dark, wide and narrow and with large text. Each picture is kept in
// test-results/screens; what is checked is what a machine can see: nothing sticks out, nothing is cut off.

import { expect, test, type Page } from '@playwright/test';

interface Screen {
  name: string;
  /** What the engine holds: `scene=`, `helper=`, `answer=`. */
  query?: string;
  act: (page: Page) => Promise<void>;
}

const open = (profile: string) => async (page: Page) => {
  await page.locator(`[data-profile="${profile}"]`).click();
};

const connections = async (page: Page): Promise<void> => {
  await open('work')(page);
  await page.getByTestId('tab-connections').click();
  await page.getByTestId('connection-row').nth(3).click();
};

const hosts = async (page: Page): Promise<void> => {
  await open('work')(page);
  await page.getByTestId('tab-hosts').click();
  await expect(page.getByTestId('host-row').first()).toBeVisible();
};

const COMMAND = `sudo -E sshuttle -v -r deploy@edge.example.net 10/8 172.20.0.0/16 \\
  -x 10.0.7.0/24 -e 'ssh -C -i ~/.ssh/edge' -D --pidfile=tun.pid &`;

const settings = async (page: Page): Promise<void> => {
  // keys are heard from when the page has drawn
  await page.getByTestId('open-settings').waitFor();
  await page.keyboard.press('Control+,');
  await expect(page.getByTestId('setup-state')).toBeVisible();
};

const setUp = async (page: Page): Promise<void> => {
  await open('work')(page);
  await page.getByTestId('open-setup').click();
};

const SCREENS: Screen[] = [
  { name: 'settings', act: settings },
  { name: 'settings-installed', query: 'helper=installed', act: settings },
  { name: 'settings-missing', query: 'helper=missing', act: settings },
  { name: 'settings-not-granted', query: 'helper=not-granted', act: settings },
  { name: 'settings-old', query: 'helper=old', act: settings },
  { name: 'settings-own', query: 'helper=own', act: settings },
  { name: 'settings-leftovers', query: 'helper=leftovers', act: settings },
  {
    name: 'settings-waiting',
    query: 'helper=installed&answer=never',
    act: async (page) => {
      await settings(page);
      await page.getByTestId('revoke').first().click();
      await page.getByTestId('confirm').click();
      await expect(page.getByTestId('waiting')).toBeVisible();
    },
  },
  {
    name: 'settings-broken',
    query: 'helper=installed&answer=broken',
    act: async (page) => {
      await settings(page);
      await page.getByTestId('remove-setup').click();
      await page.getByTestId('confirm').click();
      await expect(page.getByTestId('failure-code')).toHaveText('E-HELPER-SETUP');
    },
  },
  {
    name: 'remove',
    query: 'helper=installed',
    act: async (page) => {
      await settings(page);
      await page.getByTestId('remove-setup').click();
    },
  },
  { name: 'needs-setup', query: 'scene=fresh', act: open('work') },
  { name: 'setup', query: 'scene=fresh', act: setUp },
  {
    name: 'setup-waiting',
    query: 'scene=fresh&answer=never',
    act: async (page) => {
      await setUp(page);
      await page.getByTestId('run-setup').click();
      await expect(page.getByTestId('waiting')).toBeVisible();
    },
  },
  {
    name: 'setup-denied',
    query: 'scene=fresh&answer=no',
    act: async (page) => {
      await setUp(page);
      await page.getByTestId('run-setup').click();
      await expect(page.getByTestId('failure-code').last()).toHaveText('E-DENIED');
    },
  },
  { name: 'leftover-note', query: 'helper=leftovers', act: open('work') },
  { name: 'rules-put-back', query: 'scene=rules', act: open('work') },
  { name: 'overlapping', query: 'scene=rules', act: open('staging') },
  { name: 'given-up', query: 'scene=rules', act: open('farm') },
  {
    name: 'advanced',
    query: 'scene=rules',
    act: async (page) => {
      await open('farm')(page);
      await page.getByTestId('edit').click();
      await page.getByTestId('field-capture-name').fill('nobody-here');
      await expect(page.getByTestId('problem')).toBeVisible();
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
      await page.getByTestId('field-while-down').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'latency',
    query: 'scene=rules',
    act: async (page) => {
      await open('farm')(page);
      await page.getByTestId('edit').click();
      await page.getByTestId('field-latency').selectOption('fixed');
      await page.getByTestId('field-latency-bytes').fill('100');
      await expect(page.getByTestId('problem')).toContainText('At least 4096');
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
      await page.getByTestId('field-latency').scrollIntoViewIfNeeded();
    },
  },
  { name: 'list', act: async () => undefined },
  { name: 'overview', act: open('work') },
  { name: 'off', act: open('home') },
  { name: 'error', act: open('farm') },
  { name: 'blocking', act: open('staging') },
  { name: 'connecting', act: open('yard') },
  { name: 'empty', query: 'scene=empty', act: async () => undefined },
  { name: 'connections', act: connections },
  { name: 'hosts', act: hosts },
  { name: 'many', query: 'scene=many', act: connections },
  {
    name: 'closed',
    act: async (page) => {
      await connections(page);
      await page.locator('label', { hasText: 'Closed' }).click();
      await expect(page.locator('[data-state="refused"]').first()).toBeVisible();
    },
  },
  {
    name: 'editor',
    act: async (page) => {
      await open('work')(page);
      await page.getByTestId('edit').click();
      await page.getByTestId('field-subnets').fill('198.51.100.0/24:80,443 010.1.2.0/24 ');
      await expect(page.getByTestId('problem')).toBeVisible();
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    },
  },
  {
    name: 'new',
    act: async (page) => {
      await page.keyboard.press('Control+n');
      await expect(page.getByTestId('field-name')).toBeFocused();
    },
  },
  {
    name: 'builtin',
    act: async (page) => {
      await open('this-computer')(page);
      await page.getByTestId('edit').click();
    },
  },
  {
    name: 'import-empty',
    act: async (page) => {
      await open('work')(page);
      await page.keyboard.press('Control+o');
    },
  },
  {
    name: 'import',
    act: async (page) => {
      await open('work')(page);
      await page.keyboard.press('Control+o');
      await page.getByTestId('import-text').waitFor();
      await paste(page, COMMAND);
      await expect(page.getByTestId('import-preview')).toBeVisible();
    },
  },
  {
    name: 'import-failed',
    act: async (page) => {
      await open('work')(page);
      await page.keyboard.press('Control+o');
      await page.getByTestId('import-text').fill('hello');
      await expect(page.getByTestId('failure-code')).toHaveText('E-IMPORT');
    },
  },
  {
    name: 'delete',
    act: async (page) => {
      await open('work')(page);
      await page.getByTestId('edit').click();
      await page.getByTestId('delete').click();
    },
  },
  {
    name: 'broken',
    query: 'scene=broken',
    act: async (page) => page.getByTestId('broken-row').click(),
  },
];

type Scheme = 'light' | 'dark';

// The size of text moves things and the scheme does not: large text is looked at in one of them.
const SIZES: { name: string; width: number; height: number; text: number; schemes: Scheme[] }[] = [
  { name: '1100', width: 1100, height: 720, text: 100, schemes: ['light', 'dark'] },
  { name: '380', width: 380, height: 520, text: 100, schemes: ['light', 'dark'] },
  { name: '1100-text200', width: 1100, height: 720, text: 200, schemes: ['light'] },
  { name: '380-text200', width: 380, height: 520, text: 200, schemes: ['dark'] },
];

for (const size of SIZES) {
  for (const scheme of size.schemes) {
    test.describe(`${size.name} ${scheme}`, () => {
      test.use({ viewport: { width: size.width, height: size.height }, colorScheme: scheme });
      for (const screen of SCREENS) {
        test(screen.name, async ({ page }) => {
          const errors: string[] = [];
          page.on('pageerror', (error) => errors.push(error.message));
          page.on('console', (message) => {
            if (message.text().includes('Content Security Policy')) errors.push(message.text());
          });
          await page.goto(`/?${screen.query ?? ''}`);
          await page.evaluate((text) => (document.documentElement.style.fontSize = `${text}%`), size.text);
          await page.locator('[data-row]').first().waitFor();
          await screen.act(page);
          await page.mouse.move(0, 0);
          const path = `test-results/screens/${screen.name}-${scheme}-${size.name}.png`;
          await page.screenshot({ path, animations: 'disabled' });
          expect(errors).toEqual([]);
          await expectNothingSticksOut(page);
        });
      }
    });
  }
}

async function paste(page: Page, text: string): Promise<void> {
  await page.getByTestId('import-text').evaluate((field, text) => {
    const data = new DataTransfer();
    data.setData('text', text);
    field.dispatchEvent(
      new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }),
    );
  }, text);
}

/** No part of the page is wider than the window, whatever the size of the text. */
async function expectNothingSticksOut(page: Page): Promise<void> {
  const wide = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('body *')]
      .filter((element) => element.checkVisibility() && !element.closest('.vh, svg, table, thead'))
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => `${element.tagName}.${element.className}`),
  );
  expect(wide).toEqual([]);
}
