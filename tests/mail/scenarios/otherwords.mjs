// Tokens in the words of other programs: git's credential helper, an HTTP header, SASL.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

import { command, must, mustContain, mustEqual } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { ACCOUNT, USER } from '../mailprograms.mjs';
import { MailServer } from '../mailserver.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider } from '../provider.mjs';
import { accountAt } from './common.mjs';

/** Serves a directory to whoever has a token that the provider knows, as the password. */
async function startWebServer(stage, dir, provider) {
  const seen = [];
  const server = http.createServer(async (request, response) => {
    const basic = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString();
    const password = basic.slice(basic.indexOf(':') + 1);
    const known = password && (await provider.introspect(password)).active;
    const file = path.join(dir, new URL(request.url, 'http://localhost').pathname);
    const status = !known ? 401 : fs.statSync(file, { throwIfNoEntry: false })?.isFile() ? 200 : 404;
    seen.push(`${status}${password ? ' with a password' : ''}`);
    response.writeHead(status, status === 401 ? { 'WWW-Authenticate': 'Basic realm="repositories"' } : {});
    response.end(status === 200 ? fs.readFileSync(file) : '');
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  stage.atEnd(() => { server.closeAllConnections(); server.close(); });
  return { port: server.address().port, seen };
}

/** git as a person runs it, whose only credential helper is pizauth. */
function gitFor(stage, pizauth) {
  const home = stage.subdir('git-home');
  const env = { ...pizauth.env, HOME: home, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1' };
  const helper = `!${process.env.PIZAUTH} git-credential --account ${ACCOUNT}`;
  return (args, input = '') => command('git', ['-c', `credential.helper=${helper}`, '-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args], { env, cwd: home, input });
}

export const gitCredential = {
  name: 'git',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser, USER);
    const pizauth = await new Pizauth(stage, { [ACCOUNT]: accountAt(provider) }).serve();
    const git = gitFor(stage, pizauth);
    const must0 = async (what, running) => {
      const { code, stdout, stderr } = await running;
      mustEqual(code, 0, `exit code of ${what} (it said ${JSON.stringify(stderr)})`);
      return stdout;
    };

    await stage.check('before the login, git fails and shows the URL', async () => {
      const { code, stderr } = await git(['credential', 'fill'], 'protocol=https\nhost=git.example.com\n\n');
      must(code !== 0, 'git had a credential');
      mustContain(stderr, 'until authorised with URL', 'stderr of git');
    });

    const token = await pizauth.logIn(ACCOUNT, person);

    await stage.check('git credential fill gets the token, and until when it is good', async () => {
      const filled = await must0('git', git(['credential', 'fill'], 'protocol=smtp\nhost=smtp.example.com:587\nusername=you@gmail.com\n\n'));
      mustContain(filled, 'username=you@gmail.com\n', 'what git has');
      mustContain(filled, `password=${token}\n`, 'what git has');
      const [, time] = /password_expiry_utc=(\d+)\n/.exec(filled) ?? [];
      must(Math.abs(time * 1000 - provider.endOf(token)) < 5_000, `password_expiry_utc is ${time}, and the token ends at ${provider.endOf(token)}`);
    });

    const repositories = stage.subdir('repositories');
    await must0('git', git(['init', '-q', '--bare', '-b', 'main', `${repositories}/mine.git`]));
    await must0('git', git(['init', '-q', '-b', 'main', `${repositories}/work`]));
    await must0('git', git(['-C', `${repositories}/work`, 'commit', '-q', '--allow-empty', '-m', 'first']));
    await must0('git', git(['-C', `${repositories}/work`, 'push', '-q', `${repositories}/mine.git`, 'main']));
    await must0('git', git(['-C', `${repositories}/mine.git`, 'update-server-info']));
    const web = await startWebServer(stage, repositories, provider);
    const url = `http://127.0.0.1:${web.port}/mine.git`;

    await stage.check('git clone from a server that asks the provider about the token', async () => {
      await must0('git clone', git(['clone', '-q', url, 'first']));
      mustContain(web.seen.join(), '200 with a password', 'what the server saw');
      mustContain(await must0('git log', git(['-C', 'first', 'log', '--oneline'])), 'first', 'git log');
    });

    await stage.check('a refused token: git erases it, which refreshes it, and the next try works', async () => {
      provider.memory.entries.delete(`AccessToken:${token}`);
      must((await git(['clone', '-q', url, 'refused'])).code !== 0, 'git clone succeeded');
      must(await pizauth.tokenOtherThan(ACCOUNT, token), 'the token is the old one');
      await must0('git clone', git(['clone', '-q', url, 'second']));
      mustEqual(pizauth.records('auth').length, 1, 'logins asked for');
    });

    await stage.check('a host that is not meant, and plain http to another machine, get nothing', async () => {
      const helper = (input, ...args) => pizauth.feed(input, 'git-credential', ...args, 'get');
      for (const [input, args] of [['protocol=https\nhost=git.example.com\n\n', []], ['protocol=http\nhost=git.example.com\n\n', ['--account', ACCOUNT]]]) {
        const { code, stdout } = await helper(input, ...args);
        mustEqual(code, EXIT.done, 'exit code');
        mustEqual(stdout, '', 'stdout');
      }
    });
  },
};

/** IMAP and submission by Python's own libraries, with the answer as pizauth printed it. */
const PYTHON_CLIENT = `
import base64, imaplib, smtplib, subprocess, sys
mechanism, imap, smtp, program, account, user = sys.argv[1:]
def answer():
    return subprocess.run([program, "show", "--format=" + mechanism.lower(), "--user", user, account], check=True, capture_output=True, text=True).stdout.strip()
with imaplib.IMAP4("127.0.0.1", int(imap)) as server:
    server.authenticate(mechanism, lambda _: base64.b64decode(answer()))
    server.select("INBOX")
    print(server.state)
with smtplib.SMTP("127.0.0.1", int(smtp)) as server:
    server.ehlo()
    print(server.docmd("AUTH", mechanism + " " + answer())[0])
`;

export const sasl = {
  name: 'SASL',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser, USER);
    const pizauth = await new Pizauth(stage, { [ACCOUNT]: accountAt(provider) }).serve();
    const server = await MailServer.start(stage, provider, USER);
    const token = await pizauth.logIn(ACCOUNT, person);

    for (const mechanism of ['XOAUTH2', 'OAUTHBEARER']) {
      const login = (user) => command('/usr/bin/python3', ['-c', PYTHON_CLIENT, mechanism, server.ports.imap, server.ports.submission, process.env.PIZAUTH, ACCOUNT, user], { env: pizauth.env });

      await stage.check(`show --format=${mechanism.toLowerCase()} logs Python in to Dovecot, for IMAP and submission`, async () => {
        const { code, stdout, stderr } = await login(USER);
        mustEqual(code, 0, `exit code of Python (it said ${stderr})`);
        mustEqual(stdout, 'SELECTED\n235\n', 'what the servers said');
      });

      await stage.check(`${mechanism}: not as somebody else`, async () => {
        const { code, stderr } = await login('boss@gmail.com');
        must(code !== 0, 'Python logged in');
        mustContain(stderr, 'IMAP4.error', 'stderr of Python');
      });
    }

    await stage.check('show --format=header is what curl sends to the provider', async () => {
      const { stdout } = await pizauth.run('show', '--format=header', ACCOUNT);
      mustEqual(stdout, `Authorization: Bearer ${token}\n`, 'stdout of show');
      const asked = await command('curl', ['-sS', '--fail', '-H', '@-', `${provider.issuer}/me`], { env: { PATH: process.env.PATH }, input: stdout });
      mustEqual(asked.code, 0, `exit code of curl (it said ${asked.stderr})`);
      mustEqual(JSON.parse(asked.stdout).sub, USER, 'sub');
    });
  },
};
