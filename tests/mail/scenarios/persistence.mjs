// Logins across restarts: dump and restore, revoke, reload.

import { must, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider } from '../provider.mjs';
import { BRISK, accountAt, mustBeActive } from './common.mjs';

async function dump(pizauth) {
  const { code, stdout, stderr } = await pizauth.run('dump');
  mustEqual(code, EXIT.done, `exit code of dump (it said ${JSON.stringify(stderr)})`);
  return stdout;
}

async function restore(pizauth, text) {
  const { code, stderr } = await pizauth.feed(text, 'restore');
  mustEqual(code, EXIT.done, `exit code of restore (it said ${JSON.stringify(stderr)})`);
}

export const dumpAndRestore = {
  name: 'dump and restore',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider), other: accountAt(provider) }).serve();
    const first = await pizauth.logIn('work', person);
    const stale = await dump(pizauth);

    await stage.check('a dump is JSON', () => must(JSON.parse(stale), 'no JSON'));

    const second = await stage.check('a stale dump, replayed, does not undo the newer refresh', async () => {
      await pizauth.run('refresh', 'work');
      const token = await pizauth.tokenOtherThan('work', first);
      await restore(pizauth, stale);
      mustEqual(await pizauth.token('work'), token, 'the token');
      await pizauth.run('refresh', 'work');
      const third = await pizauth.tokenOtherThan('work', token);
      await mustBeActive(provider, third);
      mustEqual(provider.revoked.length, 0, 'logins revoked by reuse detection');
      return third;
    });

    await stage.check('dump, restart, restore: the same login goes on', async () => {
      const fresh = await dump(pizauth);
      await pizauth.shutdown();
      await pizauth.serve();
      mustEqual((await pizauth.status('work')).state, 'empty', 'state after the restart');
      await restore(pizauth, fresh);
      mustEqual(await pizauth.token('work'), second, 'the token');
      await mustBeActive(provider, second);
      await pizauth.run('refresh', 'work');
      await mustBeActive(provider, await pizauth.tokenOtherThan('work', second));
      mustEqual(provider.revoked.length, 0, 'logins revoked by reuse detection');
      mustEqual(pizauth.records('auth').length, 1, 'logins asked for');
    });

    await stage.check('a bad dump is an error that changes nothing', async () => {
      const token = await pizauth.token('work');
      const good = await dump(pizauth);
      for (const bad of ['', '{', 'null', good.slice(0, -20), good.replace(/\d+/, '99')]) {
        const { code } = await pizauth.feed(bad, 'restore');
        mustEqual(code, EXIT.error, `exit code of restore for ${JSON.stringify(bad.slice(0, 30))}`);
      }
      mustEqual(await pizauth.token('work'), token, 'the token');
    });

    await stage.check("a dump from another configuration's client is not restored", async () => {
      const good = await dump(pizauth);
      await pizauth.shutdown();
      pizauth.accounts.work = accountAt(provider, { client_id: 'another' });
      pizauth.configure();
      await pizauth.serve();
      await pizauth.feed(good, 'restore');
      mustEqual((await pizauth.status('work')).refreshable, false, 'refreshable');
    });
  },
};

export const restoreExpired = {
  name: 'restore after expiry',
  async play(stage, { browser }) {
    // So long that no refresh comes before the dump: the token in it would be another one.
    const provider = await Provider.start(stage, { life: 8 });
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider, BRISK) }).serve();
    const token = await pizauth.logIn('work', person);
    const text = await dump(pizauth);
    await pizauth.shutdown();

    await stage.check('a token that expired meanwhile is refreshed, not shown', async () => {
      await until('the token to expire', async () => !(await provider.introspect(token)).active);
      await pizauth.serve();
      await restore(pizauth, text);
      const fresh = await pizauth.tokenOtherThan('work', token);
      await mustBeActive(provider, fresh);
      mustEqual(pizauth.records('auth').length, 1, 'logins asked for');
    });
  },
};

export const reloadAndRevoke = {
  name: 'reload and revoke',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider) }).serve();
    const token = await pizauth.logIn('work', person);

    await stage.check('a reload keeps the token where only the refresh policy changed', async () => {
      pizauth.accounts.work.refresh_at_least = '10m';
      pizauth.configure();
      mustEqual((await pizauth.run('reload')).code, EXIT.done, 'exit code of reload');
      mustEqual(await pizauth.token('work'), token, 'the token');
    });

    await stage.check('a bad file changes nothing', async () => {
      pizauth.accounts.work.client_idd = 'x';
      pizauth.configure();
      const { code, stderr } = await pizauth.run('reload');
      mustEqual(code, EXIT.error, 'exit code of reload');
      must(stderr.includes('client_idd') && stderr.includes('client_id'), () => `stderr of reload: ${stderr}`);
      mustEqual(await pizauth.token('work'), token, 'the token');
      delete pizauth.accounts.work.client_idd;
    });

    await stage.check('a reload drops the token where the scopes changed', async () => {
      pizauth.accounts.work.scopes = ['openid', 'offline_access', 'imap'];
      pizauth.configure();
      mustEqual((await pizauth.run('reload')).code, EXIT.done, 'exit code of reload');
      const { scope } = await mustBeActive(provider, await pizauth.logIn('work', person));
      mustEqual(scope, 'openid offline_access imap', 'scope of the new token');
    });

    await stage.check('revoke forgets the login, and says so', async () => {
      mustEqual((await pizauth.run('revoke', 'work')).code, EXIT.done, 'exit code of revoke');
      await until('the event', () => pizauth.events('work', 'token_revoked') === 1);
      await pizauth.askForLogin('work');
    });
  },
};
