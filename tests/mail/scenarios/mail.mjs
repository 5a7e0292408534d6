// Mail programs that no one here wrote log in with `pizauth show` alone: fetch a mail, send one,
// fetch it back; across a refresh, a restart, a refused token.

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { ACCOUNT, MailHome, USER, message } from '../mailprograms.mjs';
import { MailServer } from '../mailserver.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider } from '../provider.mjs';
import { BRISK, accountAt } from './common.mjs';

/** mbsync 1.4.4 hangs for minutes when its token is refused, which takes a busy server a while. */
const HANG = 8_000;

/** Lives of tokens in seconds: of those that mail is sent with, of those whose end is waited for. */
const LONG = 3600;
const SHORT = 6;

/** A person who is logged in, with a mail server that believes the provider. */
async function settled(stage, browser, providerOptions = {}, accountOptions = {}) {
  const provider = await Provider.start(stage, providerOptions);
  const person = await Person.sitDown(stage, browser, USER);
  const pizauth = await new Pizauth(stage, { [ACCOUNT]: accountAt(provider, accountOptions) }).serve();
  const server = await MailServer.start(stage, provider, USER);
  const home = new MailHome(stage, pizauth, server);
  return { provider, person, pizauth, server, home };
}

function well(what, { code, stdout, stderr }) {
  mustEqual(code, 0, `exit code of ${what} (it said ${JSON.stringify(stderr + stdout)})`);
}

/** Fetches until this subject has come: the relay delivers when it likes. */
function arrives(home, subject, security) {
  return until(`mbsync to bring ${subject}`, async () => {
    well('mbsync', await home.mbsync({ security }));
    return home.read('Mail/gmail').includes(subject);
  });
}

export const roundTrip = {
  name: 'mail',
  async play(stage, { browser }) {
    const { pizauth, person, home, server } = await settled(stage, browser);

    await stage.check('before the login, msmtp fails and shows the URL', async () => {
      const { code, stderr } = await home.msmtp(message('too soon'));
      must(code !== 0, 'msmtp succeeded');
      mustContain(stderr, 'until authorised with URL', 'stderr of msmtp');
    });

    const token = await pizauth.logIn(ACCOUNT, person);

    for (const security of ['tls', 'starttls', 'plain']) {
      for (const auth of ['xoauth2', 'oauthbearer']) {
        const subject = `msmtp ${security} ${auth}`;
        await stage.check(`msmtp sends (${security}, ${auth}), mbsync brings it back`, async () => {
          well('msmtp', await home.msmtp(message(subject), { security, auth }));
          await arrives(home, subject, security);
        });
      }
    }

    await stage.check('after a refresh, with the new token', async () => {
      await pizauth.run('refresh', ACCOUNT);
      await pizauth.tokenOtherThan(ACCOUNT, token);
      well('msmtp', await home.msmtp(message('after the refresh')));
      await arrives(home, 'after the refresh');
    });

    await stage.check("another user's mailbox is refused", async () => {
      const { code } = await home.mbsync({ user: 'boss@gmail.com', within: HANG });
      must(code !== 0, 'mbsync opened it');
      await until("Dovecot's log to name him", () => server.logged().includes('boss@gmail.com'));
      must((await home.msmtp(message('not me'), { user: 'boss@gmail.com' })).code !== 0, 'msmtp sent in another name');
    });
  },
};

export const otherPrograms = {
  name: 'mail programs',
  async play(stage, { browser }) {
    const { pizauth, person, home } = await settled(stage, browser);
    await pizauth.logIn(ACCOUNT, person);

    await stage.check('curl sends by SMTP and reads by IMAP', async () => {
      well('curl', await home.curlSmtp(message('by curl')));
      await until('the message', async () => {
        const result = await home.curlImap();
        well('curl', result);
        return result.stdout.includes('by curl');
      });
    });

    for (const security of ['tls', 'starttls', 'plain']) {
      for (const auth of ['xoauth2', 'oauthbearer']) {
        await stage.check(`mpop fetches (${security}, ${auth})`, async () => {
          well('mpop', await home.mpop({ security, auth }));
          mustContain(home.read(`pop-${auth}-${security}`), 'by curl', 'what mpop fetched');
        });
      }
    }

    for (const program of ['mutt', 'neomutt']) {
      await stage.check(`${program} sends by SMTP and reads by IMAP`, async () => {
        well(program, await home.muttSends(program, `by ${program}!`));
        await arrives(home, `by ${program}!`);
        well(program, await home.muttReads(program));
        mustContain(home.take('seen'), 'by curl', `what ${program} read`);
      });
    }

    await stage.check('getmail fetches', async () => {
      well('getmail', await home.getmail());
      mustContain(home.read('getmail'), 'by curl', 'what getmail fetched');
    });

    await stage.check('offlineimap fetches', async () => {
      well('offlineimap', await home.offlineimap());
      mustContain(home.read('offline'), 'by curl', 'what offlineimap fetched');
    });
  },
};

export const mailAcrossEvents = {
  name: 'mail across events',
  async play(stage, { browser }) {
    const { provider, pizauth, person, home } = await settled(stage, browser, { life: LONG }, BRISK);
    await pizauth.logIn(ACCOUNT, person);

    /** Refreshes, for a token of this life. */
    const renew = async (life) => {
      provider.life = life;
      const token = await pizauth.token(ACCOUNT);
      await pizauth.run('refresh', ACCOUNT);
      await pizauth.tokenOtherThan(ACCOUNT, token);
    };

    const flows = async (subject) => {
      well('msmtp', await home.msmtp(message(subject)));
      await arrives(home, subject);
    };

    await stage.check('dump, restart, restore: mail flows', async () => {
      const { stdout } = await pizauth.run('dump');
      await pizauth.shutdown();
      await pizauth.serve();
      mustEqual((await pizauth.feed(stdout, 'restore')).code, 0, 'exit code of restore');
      await flows('after the restart');
    });

    await stage.check('a stale dump replayed: mail flows', async () => {
      const { stdout } = await pizauth.run('dump');
      await renew(LONG);
      await pizauth.feed(stdout, 'restore');
      await flows('after the stale dump');
      // It would be the spent refresh token's turn now.
      await renew(LONG);
      mustEqual(provider.revoked.length, 0, 'logins revoked by reuse detection');
    });

    await stage.check('provider down: msmtp fails at once, and the mail goes out once it is back', async () => {
      await renew(SHORT);
      await provider.down();
      await until('the token to expire', async () => (await pizauth.run('show', ACCOUNT)).code === EXIT.tryLater);
      const { code, stderr } = await home.msmtp(message('during the outage'));
      must(code !== 0, 'msmtp succeeded');
      must(!stderr.includes('authorised'), () => `the user is asked to log in: ${stderr}`);
      provider.life = LONG;
      await provider.up();
      await until('a token', async () => (await pizauth.run('show', ACCOUNT)).code === EXIT.done);
      await flows('during the outage');
    });

    for (const [what, loseLogin] of [['the login revoked at the provider', () => provider.revokeLogins()], ['the provider without its memory', () => provider.forget()]]) {
      await stage.check(`${what}: mail is refused until the next login`, async () => {
        await renew(SHORT);
        loseLogin();
        must((await home.msmtp(message(`refused: ${what}`))).code !== 0, 'msmtp succeeded');
        await until('the login to be known as lost', async () => (await pizauth.run('show', ACCOUNT)).code === EXIT.loginNeeded);
        provider.life = LONG;
        await pizauth.logIn(ACCOUNT, person);
        await flows(`after ${what}`);
      });
    }

    await stage.check('access refused in the browser: msmtp shows the next URL', async () => {
      await pizauth.run('revoke', ACCOUNT);
      await person.refuse(await pizauth.askForLogin(ACCOUNT));
      const { code, stderr } = await home.msmtp(message('refused'));
      must(code !== 0, 'msmtp succeeded');
      mustContain(stderr, 'until authorised with URL', 'stderr of msmtp');
    });
  },
};
