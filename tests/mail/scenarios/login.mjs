// The main job: a server starts, a person logs in, `show` prints a token that the provider knows.

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider } from '../provider.mjs';
import { SCOPES, accountAt, mustBeActive } from './common.mjs';

export const login = {
  name: 'login',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser);
    const pizauth = new Pizauth(stage, { work: accountAt(provider) });
    pizauth.endInBackground();

    await stage.check('without a server, show says so with exit code 5', async () => {
      mustEqual((await pizauth.run('show', 'work')).code, EXIT.noServer, 'exit code');
    });

    await stage.check('the server goes into the background once it is ready', async () => {
      const { code, stdout, stderr } = await pizauth.run('server');
      mustEqual(code, EXIT.done, `exit code of the parent (it said ${JSON.stringify(stderr)})`);
      mustEqual(stdout, '', 'stdout of the parent');
      mustEqual((await pizauth.run('status')).code, EXIT.done, 'exit code of status right after it');
    });

    const url = await stage.check('show gives the URL with exit code 3', () => pizauth.askForLogin('work'));

    await stage.check('show -u keeps the URL to itself', async () => {
      const { code, stderr } = await pizauth.run('show', '-u', 'work');
      mustEqual(code, EXIT.loginNeeded, 'exit code');
      mustEqual(stderr, 'ERROR - Token unavailable until authorised\n', 'stderr');
    });

    await stage.check('auth_notify_cmd is told the account and the URL', async () => {
      const [account, told] = await until('auth_notify_cmd', () => pizauth.records('auth')[0]);
      mustEqual(account, 'work', 'PIZAUTH_ACCOUNT');
      mustEqual(told, url, 'PIZAUTH_URL');
    });

    await stage.check('the browser logs in, and its page names the account', async () => {
      const page = await person.authorise(url);
      mustEqual(page.status, 200, 'HTTP status');
      mustContain(page.text, 'work', 'the page');
      must(!/fail|error|refused|denied/i.test(page.text), () => `the page sounds unhappy: ${page.text}`);
      must(!/[?&](code|state)=/.test(page.address), () => `secrets in the address bar: ${page.address}`);
      mustContain(page.headers['cache-control'], 'no-store', 'Cache-Control');
      mustContain(page.headers['referrer-policy'], 'no-referrer', 'Referrer-Policy');
      must(page.headers['content-security-policy'], 'no Content-Security-Policy');
    });

    const token = await stage.check('show prints the token, a newline and nothing else', () => pizauth.token('work'));

    await stage.check("the provider's introspection calls it active, with the right scope", async () => {
      const said = await mustBeActive(provider, token);
      mustEqual(said.scope, SCOPES.join(' '), 'scope');
      mustEqual(said.sub, 'jane', 'sub');
    });

    await stage.check('token_event_cmd is told token_new', () => until('the event', () => pizauth.events('work', 'token_new') === 1));

    await stage.check('status says active, and says no secret', async () => {
      const { state, refreshable } = await pizauth.status('work');
      mustEqual(state, 'active', 'state');
      mustEqual(refreshable, true, 'refreshable');
      const { stdout } = await pizauth.run('status', '--json');
      must(!stdout.includes(token), 'status prints the token');
    });

    await stage.check('an account that is not in the configuration is an error', async () => {
      const { code, stdout, stderr } = await pizauth.run('show', 'wrok');
      mustEqual(code, EXIT.error, 'exit code');
      mustEqual(stdout, '', 'stdout');
      mustContain(stderr, 'wrok', 'stderr');
    });

    await stage.check('shutdown ends the server and removes its socket', async () => {
      mustEqual((await pizauth.run('shutdown')).code, EXIT.done, 'exit code');
      await until('the server to be gone', async () => (await pizauth.run('show', 'work')).code === EXIT.noServer);
    });
  },
};
