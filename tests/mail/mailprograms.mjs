// Mail programs as people run them: each with the configuration that the README prints for it.
// Only what a test must change is changed: hosts, ports, trust.

import fs from 'node:fs';
import path from 'node:path';

import { command, must } from './harness.mjs';
import { asRoot, owner } from './mailserver.mjs';

const README = fs.readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
/** A program that hangs on a refused token is ended after this. */
const PATIENCE = 20_000;

/** The account and the person whose mail it is, as in the README. */
export const ACCOUNT = 'gmail';
export const USER = 'you@gmail.com';

/** The code blocks below a heading of the README. */
function codeOf(heading) {
  const start = README.indexOf(`\n### ${heading}\n`);
  must(start >= 0, `the README has no section ${JSON.stringify(heading)}`);
  const section = README.slice(start + 1).split(/\n##/, 1)[0];
  return [...section.matchAll(/^```.*\n([^]*?)^```$/gm)].map(([, code]) => code);
}

/** A code block of the README with parts of it exchanged, which must be there. */
function fromReadme(heading, changes, which = 0) {
  let text = codeOf(heading)[which];
  must(text, `the README's section ${JSON.stringify(heading)} lacks code`);
  for (const [from, to] of Object.entries(changes)) {
    must(text.includes(from), `the README's section ${JSON.stringify(heading)} has no ${JSON.stringify(from)}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** A message that no other is like. */
export function message(subject) {
  return `From: ${USER}\r\nTo: ${USER}\r\nSubject: ${subject}\r\nMessage-ID: <${subject.replace(/\W/g, '-')}.${Date.now()}@localhost>\r\n\r\nhello\r\n`;
}

/** A person's home directory on a machine with mail programs and pizauth. */
export class MailHome {
  constructor(stage, pizauth, server) {
    this.pizauth = pizauth;
    this.server = server;
    this.dir = stage.subdir(`mail-home-${MailHome.count += 1}`);
    const bin = path.join(this.dir, 'bin');
    fs.mkdirSync(bin);
    fs.symlinkSync(process.env.PIZAUTH, path.join(bin, 'pizauth'));
    this.env = { ...pizauth.env, HOME: this.dir, PATH: `${bin}:${process.env.PATH}`, SSL_CERT_FILE: server.tls.ca };
  }

  static count = 0;

  /** Puts a file into this home; mail programs want their configuration private. */
  write(name, text) {
    const file = path.join(this.dir, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  /** A file's text; the file is gone then. */
  take(name) {
    const file = path.join(this.dir, name);
    const text = fs.readFileSync(file, 'utf8');
    fs.rmSync(file);
    return text;
  }

  makeMaildir(name, { uid, gid } = {}) {
    for (const part of ['', 'cur', 'new', 'tmp']) {
      const dir = path.join(this.dir, name, part);
      fs.mkdirSync(dir, { recursive: true });
      if (uid !== undefined) fs.chownSync(dir, uid, gid);
    }
  }

  run(file, args, { input = '', within = PATIENCE } = {}) {
    return command(file, args, { env: this.env, cwd: this.dir, input, within });
  }

  /** Everything below a directory of this home, as one text. */
  read(name) {
    const dir = path.join(this.dir, name);
    if (!fs.existsSync(dir)) return '';
    const files = fs.readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.map((entry) => fs.readFileSync(path.join(entry.parentPath ?? entry.path, entry.name), 'utf8')).join('\n');
  }

  /** `security` is 'tls', 'starttls' or 'plain'. */
  mbsync({ security = 'tls', user = USER, within } = {}) {
    const { tls, ports } = this.server;
    const type = { tls: 'IMAPS', starttls: 'STARTTLS', plain: 'None' }[security];
    const port = security === 'tls' ? ports.imaps : ports.imap;
    const rc = this.write('.mbsyncrc', fromReadme('mbsync (isync)', {
      'Host imap.gmail.com': `Host localhost\nPort ${port}\nCertificateFile ${tls.ca}`,
      'SSLType IMAPS': `SSLType ${type}`,
      [`User ${USER}`]: `User ${user}`,
    }));
    fs.mkdirSync(path.join(this.dir, 'Mail/gmail'), { recursive: true });
    return this.run('mbsync', ['-c', rc, ACCOUNT], { within });
  }

  msmtp(text, { security = 'tls', auth = 'oauthbearer', user = USER } = {}) {
    const { tls, ports } = this.server;
    this.write('.msmtprc', fromReadme('msmtp', {
      'host smtp.gmail.com': `host localhost\ntls_trust_file ${tls.ca}`,
      'port 465': `port ${security === 'tls' ? ports.submissions : ports.submission}`,
      '\ntls on': `\ntls ${security === 'plain' ? 'off' : 'on'}`,
      'tls_starttls off': `tls_starttls ${security === 'starttls' ? 'on' : 'off'}`,
      'auth oauthbearer': `auth ${auth}`,
      [`user ${USER}`]: `user ${user}`,
    }));
    return this.run('msmtp', ['-a', ACCOUNT, USER], { input: text });
  }

  mpop({ security = 'tls', auth = 'oauthbearer' } = {}) {
    const { tls, ports } = this.server;
    this.write('.mpoprc', fromReadme('mpop', {
      'host pop.gmail.com': `host localhost\ntls_trust_file ${tls.ca}`,
      'port 995': `port ${security === 'tls' ? ports.pop3s : ports.pop3}\nkeep on\nuidls_file ~/seen-${auth}-${security}`,
      '\ntls on\n': `\ntls ${security === 'plain' ? 'off' : 'on'}\n`,
      'tls_starttls off': `tls_starttls ${security === 'starttls' ? 'on' : 'off'}`,
      'auth oauthbearer': `auth ${auth}`,
      '~/Mail/gmail': `~/pop-${auth}-${security}`,
    }));
    this.makeMaildir(`pop-${auth}-${security}`);
    return this.run('mpop', [ACCOUNT]);
  }

  curlImap() {
    const { tls, ports } = this.server;
    return this.run('sh', ['-c', fromReadme('curl', {
      'imaps://imap.gmail.com/': `'imaps://localhost:${ports.imaps}/INBOX;MAILINDEX=1' --cacert ${tls.ca}`,
    })]);
  }

  curlSmtp(text) {
    const { tls, ports } = this.server;
    this.write('message', text);
    return this.run('sh', ['-c', fromReadme('curl', {
      'imaps://imap.gmail.com/': `smtps://localhost:${ports.submissions} --cacert ${tls.ca} --mail-from ${USER} --mail-rcpt ${USER} --upload-file message`,
    })]);
  }

  writeMuttrc() {
    const { tls, ports } = this.server;
    const changed = fromReadme('mutt and neomutt', {
      'imaps://imap.gmail.com/': `imaps://localhost:${ports.imaps}/`,
      'smtp.gmail.com:465': `localhost:${ports.submissions}`,
    });
    return this.write('.muttrc', `${changed}
set from = "${USER}"
set ssl_ca_certificates_file = "${tls.ca}"
set wait_key = no
set quit = yes
`);
  }

  /** Sends with mutt or neomutt. */
  muttSends(program, subject) {
    return this.run(program, ['-n', '-F', this.writeMuttrc(), '-s', subject, USER], { input: 'hello\n' });
  }

  /** Opens the inbox in a terminal, and pipes its first message into the file `seen`. */
  muttReads(program) {
    const keys = 'push "<first-entry><pipe-message>cat > seen<enter><quit>"';
    return this.run('script', ['-qec', `TERM=vt100 ${program} -n -F ${this.writeMuttrc()} -e '${keys}'`, '/dev/null']);
  }

  getmail() {
    const { tls, ports } = this.server;
    const retriever = fromReadme('getmail', { 'imap.gmail.com': `localhost\nport = ${ports.imaps}\nca_certs = ${tls.ca}` });
    const destination = `\n[destination]\ntype = Maildir\npath = ~/getmail/\n${asRoot ? 'user = nobody\n' : ''}`;
    const rc = this.write('.config/getmail/getmailrc', retriever + destination);
    this.makeMaildir('getmail', owner);
    // As root it delivers as nobody, who must get there.
    fs.chmodSync(this.dir, 0o711);
    return this.run('getmail', ['--getmaildir', path.dirname(rc)]);
  }

  offlineimap() {
    const { tls, ports } = this.server;
    this.write('.offlineimap.py', fromReadme('OfflineIMAP', {}, 1));
    const rc = this.write('.offlineimaprc', fromReadme('OfflineIMAP', {
      'imap.gmail.com': `localhost\nremoteport = ${ports.imaps}`,
      'OS-DEFAULT': tls.ca,
      '~/Mail/gmail': '~/offline',
    }));
    return this.run('offlineimap', ['-o', '-c', rc, '-u', 'basic']);
  }
}
