// Providers that go away and come back: with their memory, without it, without the client.

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider, publicClient } from '../provider.mjs';
import { BRISK, accountAt, mustBeActive } from './common.mjs';

/** Waits until `show` ends with this code, and returns what it said. */
function showEnds(pizauth, code) {
  return until(`show to end with ${code}`, async () => {
    const result = await pizauth.run('show', 'work');
    mustEqual(result.code, code, `exit code of show (it said ${JSON.stringify(result.stderr)})`);
    return result;
  });
}

async function loggedIn(stage, browser, options) {
  const provider = await Provider.start(stage, { life: 4 });
  const person = await Person.sitDown(stage, browser);
  const pizauth = await new Pizauth(stage, { work: accountAt(provider, options) }).serve();
  await pizauth.logIn('work', person);
  return { provider, person, pizauth };
}

export const outage = {
  name: 'outage',
  async play(stage, { browser }) {
    const { provider, pizauth } = await loggedIn(stage, browser, BRISK);
    await provider.down();

    await stage.check('with the token expired, show ends with 4 and prints nothing', async () => {
      const { stdout, stderr } = await showEnds(pizauth, EXIT.tryLater);
      mustEqual(stdout, '', 'stdout');
      must(stderr.startsWith('ERROR - '), () => `stderr: ${stderr}`);
    });

    await stage.check('status says that the login is still there, and what went wrong', async () => {
      const status = await until('an error in status', async () => {
        const said = await pizauth.status('work');
        return said.last_error && said;
      });
      mustEqual(status.state, 'expired', 'state');
      mustEqual(status.refreshable, true, 'refreshable');
    });

    await stage.check('once it is back, the token is refreshed without a login', async () => {
      await provider.up();
      const { stdout } = await showEnds(pizauth, EXIT.done);
      await mustBeActive(provider, stdout.trimEnd());
      mustEqual(pizauth.records('auth').length, 1, 'logins asked for');
      mustEqual(provider.revoked.length, 0, 'logins revoked by reuse detection');
    });

    await stage.check('status forgets the error', async () => {
      const { last_error: error, state } = await pizauth.status('work');
      mustEqual(state, 'active', 'state');
      mustEqual(error, undefined, 'last_error');
    });
  },
};

export const outageByHand = {
  name: 'long outage',
  async play(stage, { browser }) {
    const { provider, pizauth } = await loggedIn(stage, browser, { ...BRISK, refresh_retry: '1h' });
    await provider.down();

    await stage.check('an explicit refresh does not wait for the next retry', async () => {
      await showEnds(pizauth, EXIT.tryLater);
      await provider.up();
      await until('the token', async () => {
        await pizauth.run('refresh', 'work');
        return (await pizauth.run('show', 'work')).code === EXIT.done;
      });
      await mustBeActive(provider, await pizauth.token('work'));
    });
  },
};

export const revokedThere = {
  name: 'revoked at the provider',
  async play(stage, { browser }) {
    const { provider, person, pizauth } = await loggedIn(stage, browser, BRISK);
    provider.revokeLogins();

    await stage.check('token_event_cmd is told token_invalidated', () => (
      until('the event', () => pizauth.events('work', 'token_invalidated') === 1)));

    await stage.check('the user is asked anew', async () => {
      const { stderr } = await showEnds(pizauth, EXIT.loginNeeded);
      const [, url] = await until('a second auth_notify_cmd', () => pizauth.records('auth')[1]);
      mustContain(stderr, url, 'stderr of show');
    });

    await stage.check('and the new login works', async () => {
      await mustBeActive(provider, await pizauth.logIn('work', person));
    });
  },
};

export const amnesia = {
  name: 'provider without its memory',
  async play(stage, { browser }) {
    const { provider, person, pizauth } = await loggedIn(stage, browser, BRISK);
    await provider.down();
    provider.forget();
    await provider.up();

    await stage.check('the login is gone (invalid_grant), and the user is asked anew', async () => {
      await showEnds(pizauth, EXIT.loginNeeded);
      mustEqual(provider.requests.at(-1).error, 'invalid_grant', 'what the provider said');
      await until('the event', () => pizauth.events('work', 'token_invalidated') === 1);
      await mustBeActive(provider, await pizauth.logIn('work', person));
    });
  },
};

export const strangerClient = {
  name: 'unknown client',
  async play(stage, { browser }) {
    const { provider, pizauth } = await loggedIn(stage, browser, BRISK);
    provider.unregister('pizauth');

    await stage.check('error_notify_cmd is told invalid_client', async () => {
      const [account, message] = await until('error_notify_cmd', () => pizauth.records('error')[0]);
      mustEqual(account, 'work', 'PIZAUTH_ACCOUNT');
      mustContain(message, 'invalid_client', 'PIZAUTH_MSG');
    });

    await stage.check('the login is kept, and the provider is left alone', async () => {
      const result = await until('show to have no token', async () => {
        const said = await pizauth.run('show', 'work');
        return said.code !== EXIT.done && said;
      });
      must(result.code === EXIT.tryLater || result.code === EXIT.error, `exit code of show: ${result.code}`);
      mustEqual((await pizauth.status('work')).refreshable, true, 'refreshable');
      mustEqual(provider.requests.filter(({ error }) => error).length, 1, 'requests that the provider refused');
    });

    await stage.check('once the client is known again, refresh mends it without a login', async () => {
      provider.register(publicClient('pizauth'));
      await pizauth.run('refresh', 'work');
      const { stdout } = await showEnds(pizauth, EXIT.done);
      await mustBeActive(provider, stdout.trimEnd());
      mustEqual(pizauth.records('auth').length, 1, 'logins asked for');
    });
  },
};
