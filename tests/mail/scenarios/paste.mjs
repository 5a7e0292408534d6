// Logging in where the browser is on another machine: what its address bar shows in the end is
// pasted into a real terminal.

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person, launchElsewhere } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider } from '../provider.mjs';
import { accountAt, mustBeActive } from './common.mjs';

/** As the ssh server sets it, at a port of its own. */
const OVER_SSH = { SSH_CONNECTION: '192.0.2.7 50022 192.0.2.9 2222' };
const PROMPT = /address \(not shown\), then enter: $/;
const URL_SHOWN = /log in to account '[^']*' at\n\n {4}(http\S+)\n/;

/** Somebody who came in over ssh runs `pizauth login`: the terminal at its prompt, and the URL. */
async function begin(pizauth, args) {
  const terminal = pizauth.terminal(['login', ...args], { env: OVER_SSH });
  const [, url] = await terminal.see(URL_SHOWN);
  await terminal.see(PROMPT);
  return { terminal, url };
}

/** The port that the browser is to come back to. */
function portIn(url) {
  return new URL(new URL(url).searchParams.get('redirect_uri')).port;
}

export const pasteBack = {
  name: 'paste-back',
  async play(stage) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, await launchElsewhere(stage));
    const pizauth = await new Pizauth(stage, { work: accountAt(provider), home: accountAt(provider) }).serve();

    const login = await stage.check('over ssh, login says why it opens no browser, and offers paste-back and the ssh line', async () => {
      const begun = await begin(pizauth, ['work']);
      const port = portIn(begun.url);
      mustContain(begun.terminal.text, 'this session is over ssh', 'the terminal');
      mustContain(begun.terminal.text, `\n    ssh -L ${port}:localhost:${port} -p 2222 192.0.2.9\n`, 'the terminal');
      const { stdout } = await pizauth.run('info');
      mustContain(stdout, `127.0.0.1:${port}`, "info's listeners");
      return begun;
    });

    const address = await stage.check('the browser elsewhere cannot come back: its address bar has the address', async () => {
      const shown = await person.comeBackInVain(login.url);
      mustContain(shown, `http://localhost:${portIn(login.url)}/?`, 'the address bar');
      mustContain(shown, 'code=', 'the address bar');
      mustEqual((await pizauth.status('work')).state, 'pending', 'state');
      return shown;
    });

    await stage.check('wrong pastes are told, and the login stays open', async () => {
      const wrong = { 'no URL': 'hello', begins: login.url, 'no code': new URL('/', address).href, 'no login waits': address.replace(/state=[^&]*/, 'state=AAAA') };
      for (const [reason, paste] of Object.entries(wrong)) {
        login.terminal.enter(paste);
        await login.terminal.see(new RegExp(`ERROR - .*${reason}[^]*then enter: $`));
      }
      mustEqual((await pizauth.status('work')).state, 'pending', 'state');
    });

    await stage.check('the right one logs in, and the terminal never shows the code', async () => {
      login.terminal.enter(address);
      await login.terminal.end(EXIT.done, 'login');
      await login.terminal.see(/account 'work' is logged in/);
      const { searchParams } = new URL(address);
      for (const secret of ['code', 'state']) must(!login.terminal.raw.replace(login.url, '').includes(searchParams.get(secret)), `the terminal shows the ${secret}`);
      await mustBeActive(provider, await pizauth.token('work'));
    });

    await stage.check('the same address again is refused, and changes nothing', async () => {
      const token = await pizauth.token('work');
      const { code, stderr } = await pizauth.feed(`${address}\n`, 'complete');
      mustEqual(code, EXIT.error, 'exit code of complete');
      mustContain(stderr, 'used already', 'stderr of complete');
      mustEqual(await pizauth.token('work'), token, 'the token');
      await mustBeActive(provider, token);
    });

    await stage.check('complete reads the address from a pipe', async () => {
      const back = await person.comeBackInVain(await pizauth.askForLogin('home'));
      const other = await pizauth.feed(back, 'complete', 'work');
      mustEqual(other.code, EXIT.error, "exit code with another account's name");
      mustContain(other.stderr, "'home'", 'stderr');
      const { code, stderr } = await pizauth.feed(back, 'complete');
      mustEqual(code, EXIT.done, `exit code of complete (it said ${JSON.stringify(stderr)})`);
      mustContain(stderr, "account 'home' is logged in", 'stderr');
      await mustBeActive(provider, await pizauth.token('home'));
    });

    await stage.check('complete asks in a terminal; a refusal in the browser is told', async () => {
      await pizauth.run('revoke', 'home');
      const back = new URL(await person.comeBackInVain(await pizauth.askForLogin('home')));
      back.searchParams.delete('code');
      back.searchParams.set('error', 'access_denied');
      const terminal = pizauth.terminal(['complete', 'home']);
      await terminal.see(PROMPT);
      terminal.enter(back.href);
      await terminal.end(EXIT.error, 'complete');
      mustContain(terminal.text, 'access_denied', 'the terminal');
    });

    await stage.check('never from the arguments', async () => {
      const { code, stderr } = await pizauth.run('complete', address);
      mustEqual(code, EXIT.usage, 'exit code');
      must(!stderr.includes(new URL(address).searchParams.get('code')), 'stderr repeats the code');
    });
  },
};

export const sshTunnel = {
  name: 'ssh tunnel',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider) }).serve();

    await stage.check('with --paste, a browser that does reach the listener ends the waiting', async () => {
      const { terminal, url } = await begin(pizauth, ['--paste', 'work']);
      await person.authorise(url);
      await terminal.end(EXIT.done, 'login');
      await terminal.see(/account 'work' is logged in/);
      await mustBeActive(provider, await pizauth.token('work'));
    });

    await stage.check('ctrl-c at the prompt leaves the login open, and says how to go on', async () => {
      await pizauth.run('revoke', 'work');
      const { terminal, url } = await begin(pizauth, ['--paste', 'work']);
      terminal.type('\x03');
      await terminal.child.ended;
      mustContain(terminal.text, "'pizauth complete work' finishes it", 'the terminal');
      await person.authorise(url);
      await mustBeActive(provider, await pizauth.token('work'));
    });

    await stage.check('$BROWSER is opened with the URL', async () => {
      await pizauth.run('revoke', 'work');
      const terminal = pizauth.terminal(['login', 'work'], { env: { BROWSER: `sh -c 'printf %%s "$1" > "${pizauth.dir}/opened"' browser` } });
      const [, url] = await terminal.see(URL_SHOWN);
      await person.authorise(url);
      await terminal.end(EXIT.done, 'login');
      // login does not wait for what it started.
      await until('the browser to be given the URL', () => pizauth.read('opened') === url);
    });
  },
};
