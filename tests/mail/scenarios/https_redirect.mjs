// The browser comes back over https: with the certificate that pizauth made, which is believed by
// its fingerprint alone, and with one of a private authority that the browser knows.

import { X509Certificate, createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';

import { command, freePort, must, mustContain, mustEqual } from '../harness.mjs';
import { Person, launchAnother } from '../browser.mjs';
import { Pizauth } from '../pizauth.mjs';
import { Provider, webClient } from '../provider.mjs';
import { makeCertificate } from '../tls.mjs';
import { accountAt, mustBeActive } from './common.mjs';

const SECRET = 'the-secret-of-a-web-client';

/** The certificate that is shown at this port, whoever signed it. */
export function certificateAt(port) {
  return new Promise((done, failed) => {
    const socket = tls.connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false });
    socket.once('error', failed).once('secureConnect', () => {
      done(new X509Certificate(socket.getPeerCertificate().raw));
      socket.destroy();
    });
  });
}

/** A certificate's key as Chromium wants it pinned. */
function pin(certificate) {
  return createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
}

/** A provider whose client comes back to `https://host:port/cb`, and a pizauth that listens there. */
export async function comingBackSecurely(stage, top = {}, host = 'localhost') {
  const port = await freePort();
  const uri = `https://${host}:${port}/cb`;
  const provider = await Provider.start(stage, { clients: [webClient('pizauth', SECRET, uri)] });
  const account = accountAt(provider, { client_secret: SECRET, redirect_uri: uri });
  const pizauth = await new Pizauth(stage, { work: account }, { https_listen: `127.0.0.1:${port}`, ...top }).serve();
  return { port, provider, pizauth };
}

/** Somebody whose Chromium believes what it should, and this key. */
export async function strictPerson(stage, certificate) {
  const browser = await launchAnother(stage, certificate ? [`--ignore-certificate-errors-spki-list=${pin(certificate)}`] : []);
  return Person.sitDown(stage, browser, 'jane', undefined, { ignoreHTTPSErrors: false });
}

export const ownCertificate = {
  name: 'https redirect',
  async play(stage, { browser }) {
    const { port, provider, pizauth } = await comingBackSecurely(stage);

    const certificate = await stage.check('info shows the fingerprint of the certificate that the listener has', async () => {
      const shown = await certificateAt(port);
      const { server } = JSON.parse((await pizauth.run('info', '-j')).stdout);
      mustEqual(server.https_fingerprint, shown.fingerprint256, 'https_fingerprint');
      mustContain((await pizauth.run('info')).stdout, `SHA-256 ${shown.fingerprint256}`, 'info');
      for (const name of ['localhost', '127.0.0.1']) must(name === 'localhost' ? shown.checkHost(name) : shown.checkIP(name), `it is not for ${name}`);
      return shown;
    });

    await stage.check('a browser that knows nothing of it warns, and nothing is lost', async () => {
      const stranger = await Person.sitDown(stage, browser, 'jane', undefined, { ignoreHTTPSErrors: false });
      const address = await stranger.comeBackInVain(await pizauth.askForLogin('work'));
      mustContain(address, `https://localhost:${port}/cb?`, 'the address bar');
      mustEqual((await pizauth.status('work')).state, 'pending', 'state');
    });

    const person = await strictPerson(stage, certificate);
    await stage.check('one that believes exactly this certificate logs in over https', async () => {
      const page = await person.authorise(await pizauth.askForLogin('work'));
      mustEqual(page.status, 200, 'HTTP status');
      mustContain(page.text, 'work', 'the page');
      mustEqual(page.address, `https://localhost:${port}/cb`, 'the address bar');
      await mustBeActive(provider, await pizauth.token('work'));
    });

    await stage.check('the browser saw that very certificate', async () => {
      mustEqual(await person.fingerprintSeen(`https://localhost:${port}`), certificate.fingerprint256, 'fingerprint');
    });

    await stage.check('a refresh does not concern it, and a reload keeps it', async () => {
      const token = await pizauth.token('work');
      await pizauth.run('refresh', 'work');
      await mustBeActive(provider, await pizauth.tokenOtherThan('work', token));
      await pizauth.run('reload');
      mustEqual((await certificateAt(port)).fingerprint256, certificate.fingerprint256, 'fingerprint');
    });
  },
};

export const privateCertificate = {
  name: 'https redirect of a private authority',
  async play(stage) {
    const files = await makeCertificate(stage.subdir('authority'));
    const { port, provider, pizauth } = await comingBackSecurely(stage, { https_cert: files.certificate, https_key: files.key }, '127.0.0.1');

    await stage.check('info shows its fingerprint', async () => {
      const { fingerprint256 } = new X509Certificate(fs.readFileSync(files.certificate));
      mustContain((await pizauth.run('info')).stdout, `SHA-256 ${fingerprint256}`, 'info');
    });

    await stage.check('curl, which is told of the authority, believes it', async () => {
      const { code, stderr } = await command('curl', ['-sS', '--fail', '--cacert', files.ca, `https://localhost:${port}/`], { env: { PATH: process.env.PATH } });
      must(code === 0 || code === 22, `exit code of curl ${code}: ${stderr}`);
    });

    await stage.check('a browser whose user has imported the authority logs in without a word', async () => {
      const home = stage.subdir('browser-home');
      const store = path.join(home, '.pki/nssdb');
      fs.mkdirSync(store, { recursive: true });
      for (const args of [['-N', '--empty-password'], ['-A', '-t', 'C,,', '-n', 'private', '-i', files.ca]]) {
        const { code, stderr } = await command('certutil', ['-d', `sql:${store}`, ...args]);
        mustEqual(code, 0, `exit code of certutil (it said ${stderr})`);
      }
      const person = await Person.sitDown(stage, await launchAnother(stage, [], home), 'jane', undefined, { ignoreHTTPSErrors: false });
      const page = await person.authorise(await pizauth.askForLogin('work'));
      mustEqual(page.status, 200, 'HTTP status');
      mustEqual(page.address, `https://127.0.0.1:${port}/cb`, 'the address bar');
      await mustBeActive(provider, await pizauth.token('work'));
    });

    await stage.check('a key that is of another certificate is a mistake, and a reload says so', async () => {
      const other = await makeCertificate(stage.subdir('other-authority'));
      pizauth.top.https_key = other.key;
      pizauth.configure();
      const { code, stderr } = await pizauth.run('reload');
      mustEqual(code, 1, 'exit code of reload');
      mustContain(stderr, 'https_key', 'stderr of reload');
      mustEqual((await certificateAt(port)).issuer, 'CN=Private CA', 'issuer of the certificate in use');
    });
  },
};
