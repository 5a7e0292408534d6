// Giving tokens back at the provider (RFC 7009).

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider } from '../provider.mjs';
import { accountAt, mustBeActive } from './common.mjs';

/** The refresh token, which only a dump tells. */
async function refreshToken(pizauth) {
  const { stdout } = await pizauth.run('dump');
  const [, token] = /"refresh_token":\s*"([^"]+)"/.exec(stdout) ?? [];
  must(token, 'the dump has no refresh token');
  return token;
}

export const revocation = {
  name: 'revocation',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider, { revoke_uri: provider.revokeUri }) }).serve();

    await stage.check('revoke: the provider confirms, and its introspection calls both tokens inactive', async () => {
      const token = await pizauth.logIn('work', person);
      const refresh = await refreshToken(pizauth);
      for (const each of [token, refresh]) await mustBeActive(provider, each);
      const { code, stderr } = await pizauth.run('revoke', 'work');
      mustEqual(code, EXIT.done, `exit code of revoke (it said ${JSON.stringify(stderr)})`);
      mustContain(stderr, 'the provider has revoked the tokens', 'what revoke says');
      for (const each of [token, refresh]) mustEqual((await provider.introspect(each)).active, false, 'active');
      const asked = provider.revocations.map(({ hint, token: which, status }) => `${hint} ${which === refresh ? 'R' : which === token ? 'A' : '?'} ${status}`);
      mustEqual(asked.join(', '), 'refresh_token R 200, access_token A 200', 'requests at the revocation endpoint');
      await until('the event', () => pizauth.events('work', 'token_revoked') === 1);
    });

    await stage.check('a provider that is down: forgotten here, exit code 1, and it says that nobody confirmed', async () => {
      const token = await pizauth.logIn('work', person);
      await provider.down();
      const { code, stderr } = await pizauth.run('revoke', 'work');
      await provider.up();
      mustEqual(code, EXIT.error, 'exit code of revoke');
      mustContain(stderr, 'forgotten here', 'what revoke says');
      mustContain(stderr, 'not confirmed', 'what revoke says');
      mustEqual((await pizauth.status('work')).state, 'empty', 'state');
      // What was said is true: the provider knows nothing of it.
      await mustBeActive(provider, token);
      await pizauth.askForLogin('work');
    });

    await stage.check('without a revocation endpoint it says that the provider was not told', async () => {
      delete pizauth.accounts.work.revoke_uri;
      pizauth.configure();
      await pizauth.run('reload');
      const token = await pizauth.logIn('work', person);
      const { code, stderr } = await pizauth.run('revoke', 'work');
      mustEqual(code, EXIT.done, 'exit code of revoke');
      mustContain(stderr, 'the provider was not told', 'what revoke says');
      await mustBeActive(provider, token);
    });
  },
};
