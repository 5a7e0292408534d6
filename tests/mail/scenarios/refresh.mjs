// Refreshing: on request, in time, with a provider that rotates refresh tokens and revokes the
// login when it sees a spent one.

import { Verdict, must, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider } from '../provider.mjs';
import { BRISK, accountAt, mustBeActive } from './common.mjs';

export const refreshByCommand = {
  name: 'refresh',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider) }).serve();
    const first = await pizauth.logIn('work', person);

    const second = await stage.check('by command: another token, which is active', async () => {
      mustEqual((await pizauth.run('refresh', 'work')).code, EXIT.done, 'exit code of refresh');
      const token = await pizauth.tokenOtherThan('work', first);
      await mustBeActive(provider, token);
      return token;
    });

    await stage.check('token_event_cmd is told token_refreshed', () => until('the event', () => pizauth.events('work', 'token_refreshed') === 1));

    await stage.check('again, with the rotated refresh token', async () => {
      mustEqual((await pizauth.run('refresh', 'work')).code, EXIT.done, 'exit code of refresh');
      await mustBeActive(provider, await pizauth.tokenOtherThan('work', second));
    });

    await stage.check('ten at once never show the provider a spent refresh token', async () => {
      const before = provider.refreshes;
      await Promise.all(Array.from({ length: 10 }, () => pizauth.run('refresh', 'work')));
      await until('a refresh', () => provider.refreshes > before);
      await until('the last to end', async () => !(await pizauth.status('work')).busy);
      await mustBeActive(provider, await pizauth.token('work'));
      mustEqual(provider.revoked.length, 0, 'logins revoked by reuse detection');
    });

    await stage.check('nothing asked for a second login', () => mustEqual(pizauth.records('auth').length, 1, 'notifications'));
  },
};

/** Refreshes in the long run. */
const LONG_RUN = 24;

export const refreshInTime = {
  name: 'long run',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage, { life: 4 });
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider, BRISK) }).serve();
    await pizauth.logIn('work', person);

    await stage.check(`${LONG_RUN} refreshes in time and by hand: show never prints a dead token`, async () => {
      const seen = new Set();
      let pushed = 0;
      await until(`${LONG_RUN} refreshes`, async () => {
        seen.add(await showAlive(provider, pizauth));
        // By hand and in time meet: two people press the button after every third refresh.
        if (provider.refreshes >= pushed + 3) {
          pushed = provider.refreshes;
          await Promise.all([pizauth.run('refresh', 'work'), pizauth.run('refresh', 'work')]);
        }
        return provider.refreshes >= LONG_RUN;
      }, 120_000);
      must(seen.size >= LONG_RUN / 2, `only ${seen.size} tokens were seen`);
    });

    await stage.check("the provider's reuse detection was never tripped", () => {
      mustEqual(provider.revoked.length, 0, 'logins revoked');
      mustEqual(provider.requests.filter(({ error }) => error).length, 0, 'requests that the provider refused');
      mustEqual(pizauth.records('auth').length, 1, 'logins asked for');
    });

    await stage.check('token_refreshed was announced for each', () => until('the events', () => (
      pizauth.events('work', 'token_refreshed') === provider.refreshes)));
  },
};

/** The token that `show` prints, which must not have expired before it was asked for. */
async function showAlive(provider, pizauth) {
  const asked = Date.now();
  const { code, stdout, stderr } = await pizauth.run('show', 'work');
  // A machine under load may be late with a refresh; to say so is right.
  if (code === EXIT.tryLater) return '';
  if (code !== EXIT.done) throw new Verdict(`show ended with ${code}: ${stderr}`);
  const token = stdout.trimEnd();
  const end = provider.endOf(token);
  // oidc-provider counts in whole seconds: a token may end up to one before its expires_in is over,
  // and nobody but the provider knows.
  if (end + 1_000 <= asked) throw new Verdict(`show printed a token that had ended ${asked - end} ms before`);
  return token;
}

export const shortLived = {
  name: 'short-lived',
  async play(stage, { browser }) {
    // Shorter than refresh_before_expiry's default of 90 s.
    const provider = await Provider.start(stage, { life: 8 });
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider) }).serve();

    await stage.check('a token that lives shorter than refresh_before_expiry is usable', async () => {
      await mustBeActive(provider, await pizauth.logIn('work', person));
    });

    await stage.check('and is refreshed, but not in a frenzy', async () => {
      const start = Date.now();
      await until('three refreshes', () => provider.refreshes >= 3, 60_000);
      must(Date.now() - start > 2_000, `three refreshes within ${Date.now() - start} ms`);
      await mustBeActive(provider, await pizauth.token('work'));
    });
  },
};
